//go:build linux || darwin || freebsd

package main_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"vestibule/app/apptest"
)

// TestREADME follows README's "Add your own page and model" in a copy of the
// repository, on each database: it has the program write the migration, writes
// each file that a line names before its content, adds the routes, builds the
// program and uses the page.
func TestREADME(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, steps, _ := strings.Cut(string(readme), "## Add your own page and model")
	steps, _, _ = strings.Cut(steps, "\n## ")

	copied := copyRepository(t)
	create := command(t, nil, "migrate", "create", "add_projects")
	create.Dir = copied
	created := finish(t, create)
	if created.code != 0 || !strings.Contains(steps, "`bin/vestibule "+strings.Join(create.Args[1:], " ")+"`") {
		t.Fatalf("the migration is not written, or otherwise than README says: %s", created.stderr)
	}
	files := regexp.MustCompile("(?s)\n`([^`\n]+)`\n\n```[a-z]+\n(.*?)```").FindAllStringSubmatch(steps, -1)
	if len(files) != 5 {
		t.Fatalf("README has %d files, want 5", len(files))
	}
	for _, file := range files {
		path := file[1]
		if folder, name := filepath.Split(path); folder == "migrations/" { // README's has the number of another day
			_, name, _ = strings.Cut(name, "_")
			path = regexp.MustCompile(`migrations/\d{14}_` + regexp.QuoteMeta(name)).FindString(created.stdout)
		}
		if err := os.MkdirAll(filepath.Join(copied, filepath.Dir(path)), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(copied, path), file[2])
	}
	lines := regexp.MustCompile("(?s)`app/routes.go`:\n\n```go\n(.*?)```").FindStringSubmatch(steps)
	if lines == nil {
		t.Fatal("README has no lines for app/routes.go")
	}
	routes := filepath.Join(copied, "app", "routes.go")
	before, err := os.ReadFile(routes)
	if err != nil {
		t.Fatal(err)
	}
	const group = "signedIn := public.Group(\"/\", a.SignedInOnly)\n"
	after := strings.Replace(string(before), group, group+lines[1], 1)
	after = strings.Replace(after, "import (\n", "import (\n\t\"vestibule/app/projects\"\n", 1)
	if after == string(before) {
		t.Fatal("app/routes.go has no group signedIn")
	}
	write(t, routes, after)

	path := filepath.Join(copied, "vestibule")
	if err := build(filepath.Join(copied, "cmd", "vestibule"), path); err != nil {
		t.Fatal(err)
	}
	eachDatabase(t, func(t *testing.T, database string) {
		s := serveProgram(t, path, nil, "DATABASE_URL="+database)
		mine, other := s.client(), s.client()
		for client, p := range map[*http.Client]apptest.Person{mine: apptest.Anna, other: apptest.Ben} {
			if status, body := s.post(client, "/sign-up", p.Form()); status != http.StatusOK {
				t.Fatalf("sign-up ends with %d: %s", status, body)
			}
		}
		if status, body := s.post(mine, "/projects", url.Values{"name": {" "}}); status != http.StatusUnprocessableEntity || !strings.Contains(body, "Enter a name.") {
			t.Errorf("an empty name gives %d and no error beside the field", status)
		}
		if status, body := s.post(mine, "/projects", url.Values{"name": {"<Cathedral>"}}); status != http.StatusOK ||
			!strings.Contains(body, "<li>&lt;Cathedral&gt;</li>") || !strings.Contains(body, "Changes saved") {
			t.Errorf("a new project gives %d, and is not in the list", status)
		}
		if status, body := s.get(other, "/projects"); status != http.StatusOK || !strings.Contains(body, "None yet.") || strings.Contains(body, "Cathedral") {
			t.Errorf("another person gets %d: %s", status, body)
		}

		remove := command(t, []string{"DATABASE_URL=" + database}, "users", "delete", apptest.Anna.Username, "--yes")
		remove.Path = path
		if got := finish(t, remove); got.code != 0 {
			t.Errorf("a person with a project cannot be deleted: %s", got.stderr)
		}
	})
}

// TestMakeItYours follows README's "Make it yours" in a copy of the repository,
// whose tests then know the site by its new name.
func TestMakeItYours(t *testing.T) {
	t.Parallel()
	copied := copyRepository(t)
	runIn(t, copied, "git", "init", "-q")
	runIn(t, copied, "git", "add", "-A")
	runIn(t, copied, "sh", "-e", "-c", commandsBelow(t, "## Make it yours"))
	runIn(t, copied, "go", "vet", "./...")
	if out := runIn(t, copied, "gofmt", "-l", "."); out != "" {
		t.Errorf("these are not formatted any more: %s", out)
	}
	if out := runIn(t, copied, "sh", "-c", `grep -rnE 'V[e]stibule|"v[e]stibule/' app cmd models templates || true`); out != "" {
		t.Errorf("the old name is left:\n%s", out)
	}
	runIn(t, copied, "go", "test", "./app/mail", "./app/password", "-run", "^Test(NewSMTP|Check)")
	runIn(t, copied, "go", "test", "./app", "-run", "^Test(CreateOrganizationRefuses|DownloadData|PagesHoldTogether)$/sqlite")
}

// copyRepository copies what the program is made of, with what is written about
// it, to a folder that is removed as the test ends.
func copyRepository(t *testing.T) string {
	t.Helper()
	copied := t.TempDir()
	for _, name := range []string{"app", "assets", "cmd", "migrations", "models", "templates"} {
		if err := os.CopyFS(filepath.Join(copied, name), os.DirFS(filepath.Join("../..", name))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"go.mod", "go.sum", "README.md", "SECURITY.md"} {
		content, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(copied, name), string(content))
	}
	return copied
}

// commandsBelow returns the first commands that README has below these words.
func commandsBelow(t *testing.T, words string) string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, below, _ := strings.Cut(string(readme), words)
	_, commands, _ := strings.Cut(below, "```sh\n")
	commands, _, found := strings.Cut(commands, "```")
	if !found {
		t.Fatalf("README has no commands below %q", words)
	}
	return commands
}

// runIn runs a program in dir, which is to succeed, and returns what it prints.
func runIn(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	// A hook of git's that runs the tests would else have git work on its own repository.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, "GIT_") })
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "no tests to run") {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// client is a browser without JavaScript: it keeps cookies and follows redirects.
func (s *site) client() *http.Client {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &http.Client{Jar: jar}
}

// post sends a form, and returns the status and the page in the end.
func (s *site) post(client *http.Client, path string, form url.Values) (int, string) {
	s.t.Helper()
	answer, err := client.PostForm(s.url+path, form)
	return s.read(answer, err)
}

// get opens a page.
func (s *site) get(client *http.Client, path string) (int, string) {
	s.t.Helper()
	answer, err := client.Get(s.url + path)
	return s.read(answer, err)
}

func (s *site) read(answer *http.Response, err error) (int, string) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}
