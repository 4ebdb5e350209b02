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
	"vestibule/models/modelstest"
)

// These tests are of the starter: its README, and the commands by which a builder
// makes it a product of their own. A product has no use for them, and README says
// to delete this file.

// TestREADME follows README's "Add your own page and model" in a copy of the
// repository, on each database. The program writes the migration, the test writes
// each file that README shows, adds the routes, builds the program and uses the page.
func TestREADME(t *testing.T) {
	readme := readDocument(t, "README.md")
	if lines := strings.Count(readme, "\n"); lines > 200 {
		t.Errorf("README has %d lines, want 200 at most", lines)
	}
	for _, link := range brokenLinks(t, "README.md") {
		t.Errorf("README links to %s, which does not exist", link)
	}
	_, steps, _ := strings.Cut(readme, "## Add your own page and model")
	steps, _, _ = strings.Cut(steps, "\n## ")

	copied := copyRepository(t)
	create := command(t, nil, "migrate", "create", "add_projects")
	create.Dir = copied
	created := finish(t, create)
	if created.code != 0 || !strings.Contains(steps, "`bin/vestibule "+strings.Join(create.Args[1:], " ")+"`") {
		t.Fatalf("the migration is not written, or README names another command: %s", created.stderr)
	}
	files := regexp.MustCompile("(?s)`([^`\n]+)`:\n\n```[a-z]+\n(.*?)```").FindAllStringSubmatch(steps, -1)
	if len(files) != 6 {
		t.Fatalf("README has %d files, want 6", len(files))
	}
	for _, file := range files {
		path, content := file[1], file[2]
		switch folder, name := filepath.Split(path); {
		case folder == "migrations/": // README's number is of another day
			_, name, _ = strings.Cut(name, "_")
			path = regexp.MustCompile(`migrations/\d{14}_` + regexp.QuoteMeta(name)).FindString(created.stdout)
		case path == "app/routes.go":
			content = addRoutes(t, filepath.Join(copied, path), content)
		case strings.HasPrefix(folder, "templates/") && !strings.Contains(content, "@components.Form("):
			t.Error("README's form has no place for the error about it as a whole")
		}
		if err := os.MkdirAll(filepath.Join(copied, filepath.Dir(path)), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(copied, path), content)
	}

	runIn(t, copied, "go", "tool", "templ", "generate")
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
			!strings.Contains(body, "<p>&lt;Cathedral&gt;</p>") || !strings.Contains(body, "Changes saved") {
			t.Errorf("a new project gives %d, and is not in the list", status)
		}
		if status, body := s.get(other, "/projects"); status != http.StatusOK || !strings.Contains(body, "Add project") || strings.Contains(body, "Cathedral") {
			t.Errorf("another person gets %d: %s", status, body)
		}

		remove := command(t, []string{"DATABASE_URL=" + database}, "users", "delete", apptest.Anna.Username, "--yes")
		remove.Path = path
		if got := finish(t, remove); got.code != 0 {
			t.Errorf("a person with a project cannot be deleted: %s", got.stderr)
		}
	})
}

// addRoutes returns the routes of path with these lines below the group signedIn,
// and the import that they need.
func addRoutes(t *testing.T, path, lines string) string {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const group = "signedIn := settingUp.Group(\"/\", auth.SecondFactorOnly)\n"
	after := strings.Replace(string(before), group, group+lines, 1)
	if after == string(before) {
		t.Fatal("app/routes.go has no group signedIn")
	}
	return strings.Replace(after, "import (\n", "import (\n\t\"vestibule/app/projects\"\n", 1)
}

// TestMakeItYours follows README's "Make it yours" in a copy of the repository,
// and replaces README. The tests then know the site by its new name. Except in make
// soak, the notes are removed before, so that one copy is compiled for both documents.
func TestMakeItYours(t *testing.T) {
	t.Parallel()
	copied := copyRepository(t)
	if !modelstest.Soaking() {
		removeNotes(t, copied)
	}
	runIn(t, copied, "git", "init", "-q")
	runIn(t, copied, "git", "add", "-A")
	runIn(t, copied, "sh", "-e", "-c", commandsBelow(t, "README.md", "## Make it yours"))
	write(t, filepath.Join(copied, "README.md"), "# Lobby\n")
	vet(t, copied)
	if out := runIn(t, copied, "sh", "-c", `grep -rnE 'V[e]stibule|"v[e]stibule/' app cmd models templates || true`); out != "" {
		t.Errorf("the old name is left:\n%s", out)
	}
	runIn(t, copied, "go", "test", "./app/mail", "./app/password", "-run", "^Test(NewSMTP|Check)")
	runIn(t, copied, "go", "test", "./app", "-run", "^Test(PagesHoldTogether|Permissions|SettingsAreDocumented)$/^(sqlite)?$")
	runIn(t, copied, "go", "test", "./app/account", "-run", "^TestDownloadData$/sqlite")
	runIn(t, copied, "go", "test", "./app/organization", "-run", "^TestCreateOrganizationRefuses$/sqlite")
	runIn(t, copied, "go", "test", "./cmd/vestibule", "-run", "^Test(Security|Links)$")
}

// TestRemoveNotes removes the notes alone. What is left builds, and agrees with its
// documents.
func TestRemoveNotes(t *testing.T) {
	modelstest.Soak(t)
	t.Parallel()
	copied := copyRepository(t)
	removeNotes(t, copied)
	vet(t, copied)
	runIn(t, copied, "go", "test", "./app", "-run", "^Test(Permissions|PagesHoldTogether)$/sqlite")
	runIn(t, copied, "go", "test", "./app/account", "-run", "^TestDownloadData$/sqlite")
	runIn(t, copied, "go", "test", "./cmd/vestibule", "-run", "^Test(Security|Links)$")
}

// removeNotes follows "Remove it" in the document of the notes, in a copy of the
// repository. Nothing of them is left.
func removeNotes(t *testing.T, copied string) {
	t.Helper()
	runIn(t, copied, "sh", "-e", "-c", commandsBelow(t, "app/notes/README.md", "## Remove it"))
	if out := runIn(t, copied, "sh", "-c", `grep -rniE 'write-?notes|newnote|own-?notes|/notes|notes/|create_notes|models\.note|Test[a-z]*Notes' --exclude=starter_test.go . || true`); out != "" {
		t.Errorf("this is left of the notes:\n%s", out)
	}
}

// vet checks the code of a copy of the repository, as make lint does.
func vet(t *testing.T, copied string) {
	t.Helper()
	runIn(t, copied, "go", "vet", "./...")
	if out := runIn(t, copied, "gofmt", "-l", "."); out != "" {
		t.Errorf("these files are no longer formatted: %s", out)
	}
}

// copyRepository copies the program's source and its documents to a folder that is
// removed when the test ends.
func copyRepository(t *testing.T) string {
	t.Helper()
	copied := t.TempDir()
	for _, name := range []string{"app", "assets", "cmd", "migrations", "models", "templates", ".github"} {
		if err := os.CopyFS(filepath.Join(copied, name), os.DirFS(filepath.Join("../..", name))); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob("../../*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(files, "../../go.mod", "../../go.sum", "../../.env.example", "../../LICENSE", "../../Makefile") {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(copied, filepath.Base(path)), string(content))
	}
	return copied
}

// commandsBelow returns the first commands below a heading of a document.
func commandsBelow(t *testing.T, document, heading string) string {
	t.Helper()
	_, below, _ := strings.Cut(readDocument(t, document), "\n"+heading+"\n")
	_, commands, _ := strings.Cut(below, "```sh\n")
	commands, _, found := strings.Cut(commands, "```")
	if !found {
		t.Fatalf("%s has no commands below %q", document, heading)
	}
	return commands
}

// runIn runs a program in dir and returns what it prints. The program must succeed.
func runIn(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	// A hook of git's that runs the tests would else have git work on its own repository.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, "GIT_") })
	// As the Makefile does, or everything would be compiled again.
	cmd.Env = append(cmd.Env, "CGO_ENABLED=0", "GOFLAGS=-trimpath -tags=nomsgpack -vet=off -ldflags=-s")
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
