//go:build linux || darwin || freebsd

package main_test

import (
	"bytes"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models/modelstest"
)

// result is what a command left behind.
type result struct {
	stdout, stderr string // without the line that names the database
	database       string // as a command names it on standard error
	code           int
}

// announced splits what a command printed on standard error at the line that names the
// database.
func announced(printed string) (database, stderr string) {
	if line, rest, _ := strings.Cut(printed, "\n"); strings.HasPrefix(line, "Database: ") {
		return line, rest
	}
	return "", printed
}

// finish runs a command to its end.
func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		<-ended
		t.Fatalf("%s does not end:\n%s%s", cmd.Args, stdout.String(), stderr.String())
	}
	database, complaint := announced(stderr.String())
	return result{stdout.String(), complaint, database, cmd.ProcessState.ExitCode()}
}

// succeed runs the program with a database, and returns what it printed.
func succeed(t *testing.T, database string, args ...string) string {
	t.Helper()
	got := finish(t, command(t, []string{"DATABASE_URL=" + database}, args...))
	if got.code != 0 || got.stderr != "" {
		t.Fatalf("vestibule %s: exit code %d\n%s", strings.Join(args, " "), got.code, got.stderr)
	}
	return got.stdout
}

func TestHelp(t *testing.T) {
	t.Parallel()
	got := finish(t, command(t, nil, "--help"))
	if got.code != 0 || got.stderr != "" {
		t.Errorf("exit code %d, stderr %q", got.code, got.stderr)
	}
	words := []string{"serve", "migrate up", "migrate down", "migrate status", "migrate create", "backup", "restore", "after-restore", "users list", "sessions list", "audit"}
	for field := range reflect.TypeFor[app.Config]().Fields() {
		words = append(words, "$"+field.Tag.Get("env"))
	}
	for _, word := range words {
		if !strings.Contains(got.stdout, word) {
			t.Errorf("the help does not mention %s:\n%s", word, got.stdout)
		}
	}
}

// TestVersionFlag compares what the program says of itself with what its file says.
func TestVersionFlag(t *testing.T) {
	t.Parallel()
	cmd := command(t, nil, "--version")
	file, err := buildinfo.ReadFile(cmd.Path)
	if err != nil {
		t.Fatal(err)
	}
	commit := "unknown"
	for _, setting := range file.Settings {
		if setting.Key == "vcs.revision" {
			commit = setting.Value
		}
	}
	want := regexp.MustCompile(`^vestibule \S+ \(commit ` + commit + `(, modified)?\)\n$`)
	if got := finish(t, cmd); got.code != 0 || got.stderr != "" || !want.MatchString(got.stdout) {
		t.Errorf("exit code %d, it prints %q, want %s; stderr %q", got.code, got.stdout, want, got.stderr)
	}
}

// TestRefusals gives the program what it cannot work with. It says so in one
// sentence, which holds no secret.
func TestRefusals(t *testing.T) {
	t.Parallel()
	const secret = "hunter2secret"
	production := []string{"ENV=production", "SMTP_URL=smtp://me:" + secret + "@127.0.0.1:1", "MAIL_FROM=hall@example.com"}
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { busy.Close() })
	silent := freeAddr(t)

	tests := []struct {
		name     string
		settings []string
		args     []string
		says     string
	}{
		{"database of another kind", []string{"DATABASE_URL=mysql://me:" + secret + "@localhost/x"}, nil, `DATABASE_URL: the database URL must start with "postgres://" or "sqlite:"`},
		{"database without a file", []string{"DATABASE_URL=sqlite:"}, nil, "DATABASE_URL: the database URL names no file"},
		{"database in memory", []string{"DATABASE_URL=sqlite::memory:"}, nil, "DATABASE_URL: an in-memory SQLite database would differ on each connection"},
		{"database in memory, with slashes", []string{"DATABASE_URL=sqlite://:memory:"}, nil, "DATABASE_URL: an in-memory SQLite database would differ on each connection"},
		{"database URL that cannot be read", []string{"DATABASE_URL=postgres://me:" + secret + "%zz@localhost/x"}, nil, "DATABASE_URL: can't read the database URL"},
		{"database with an unknown option", []string{"DATABASE_URL=postgres://me:" + secret + "@" + silent + "/x?sslmode=perhaps"}, nil, "DATABASE_URL: "},
		{"database that does not answer", []string{"DATABASE_URL=postgres://me:" + secret + "@" + silent + "/x?sslmode=disable"}, nil, "DATABASE_URL: "},
		{"port in use", []string{"ADDR=" + busy.Addr().String()}, nil, "can't listen on ADDR \"" + busy.Addr().String()},
		{"port of the profiles in use", []string{"PPROF_ADDR=" + busy.Addr().String()}, nil, "can't listen on PPROF_ADDR \"" + busy.Addr().String()},
		{"profiles on every address", []string{"PPROF_ADDR=:0"}, nil, `PPROF_ADDR is ":0": it must be on localhost`},
		{"port of the metrics in use", []string{"METRICS_ADDR=" + busy.Addr().String()}, nil, "can't listen on METRICS_ADDR \"" + busy.Addr().String()},
		{"metrics on every address", []string{"METRICS_ADDR=:9464"}, nil, `METRICS_ADDR is ":9464": it must be an address of this machine`},
		{"access log that is no share", []string{"ACCESS_LOG=some"}, nil, `it must be "all", "errors", "off", or a share such as 0.1`},
		{"address without a port", []string{"ADDR=localhost"}, nil, `ADDR is "localhost": it must be host:port`},
		{"unknown environment", []string{"ENV=staging"}, nil, `ENV is "staging": it must be "development" or "production"`},
		{"idle time that is no time", []string{"SESSION_IDLE=soon"}, nil, "SESSION_IDLE"},
		{"idle time too short", []string{"SESSION_IDLE=1s"}, nil, `SESSION_IDLE is "1s": it must be a minute (1m) or more`},
		{"maximum below idle time", []string{"SESSION_MAX=1h"}, nil, "SESSION_MAX is "},
		{"base URL without a scheme", []string{"BASE_URL=example.com"}, nil, `BASE_URL is "example.com": it must be https://`},
		{"base URL in the clear", []string{"BASE_URL=http://example.com"}, nil, `BASE_URL is "http://example.com": it must be https://`},
		{"base URL with a password", []string{"BASE_URL=https://me:" + secret + "@example.com"}, nil, "BASE_URL holds a user or a password"},
		{"base URL with a malformed password", []string{"BASE_URL=https://me:" + secret + "%zz@example.com"}, nil, "BASE_URL holds a user or a password"},
		{"proxy that is no address", []string{"TRUSTED_PROXIES=nginx"}, nil, `TRUSTED_PROXIES is "nginx"`},
		{"unknown log level", []string{"LOG_LEVEL=loud"}, nil, `LOG_LEVEL is "loud"`},
		{"mail server that cannot be read", []string{"MAIL_FROM=hall@example.com", "SMTP_URL=smtp://me:" + secret + "%zz@localhost"}, nil, "SMTP_URL"},
		{"mail server of another kind", []string{"MAIL_FROM=hall@example.com", "SMTP_URL=http://me:" + secret + "@localhost"}, nil, "SMTP_URL"},
		{"mail without a sender", []string{"SMTP_URL=smtp://me:" + secret + "@localhost"}, nil, "MAIL_FROM is not set"},
		{"production without a base URL", production, nil, "BASE_URL is not set"},
		{"production without mail", []string{"ENV=production", "BASE_URL=https://example.com"}, nil, "SMTP_URL is not set"},
		{"production without a database", append([]string{"BASE_URL=https://example.com"}, production...), nil, "data/vestibule.db: set DATABASE_URL, or run vestibule migrate up to create it"},
		{"undoing without a database", nil, []string{"migrate", "down", "--yes"}, "DATABASE_URL: there is no SQLite file /"},
		{"status without a database", nil, []string{"migrate", "status"}, "DATABASE_URL: there is no SQLite file /"},
		{"users without a database", nil, []string{"users", "list"}, "data/vestibule.db: set DATABASE_URL, or run vestibule migrate up to create it"},
		{"sessions without a database", nil, []string{"sessions", "list"}, "DATABASE_URL: there is no SQLite file /"},
		{"events without a database", nil, []string{"audit"}, "DATABASE_URL: there is no SQLite file /"},
		{"database's password as a flag", nil, []string{"users", "list", "--database-url=postgres://me:" + secret + "@localhost/x"}, "--database-url shows its password to every user of this machine: set DATABASE_URL in the environment or the file .env instead"},
		{"database's password in the query", nil, []string{"users", "list", "--database-url", "postgres://localhost/x?password=" + secret}, "--database-url shows its password"},
		{"mail server's password as a flag", nil, []string{"serve", "--smtp-url=smtp://me:" + secret + "@localhost", "--mail-from=hall@example.com"}, "--smtp-url shows its password to every user of this machine: set SMTP_URL in"},
		{"hashes of 7 MiB with one pass", []string{"ARGON2_TIME=1"}, nil, `ARGON2_MEMORY is "7168": it must be 47104 to 262144 with ARGON2_TIME=1`},
		{"a time in words", []string{"SESSION_IDLE=a month"}, nil, `"a month" is not a duration such as 90m, 12h or 30d`},
		{"unknown command", nil, []string{"dance"}, "dance"},
		{"unknown flag", nil, []string{"serve", "--loudly"}, "--loudly"},
		{"migration without a name", nil, []string{"migrate", "create"}, "name"},
		{"migration with a bad name", nil, []string{"migrate", "create", "../evil"}, "name"},
		{"migrations into what is no folder", nil, []string{"migrate", "create", "add_projects", "--dir=/dev/null"}, "/dev/null"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			settings := append([]string{"ADDR=" + freeAddr(t), "LOG_LEVEL=error"}, tt.settings...)
			wantsRefusal(t, command(t, settings, tt.args...), tt.says, secret)
		})
	}

	t.Run("wrong password of the database", func(t *testing.T) {
		t.Parallel()
		if os.Getenv("TEST_DATABASE_URL") != "" {
			t.Skip("the server named by TEST_DATABASE_URL may take any password")
		}
		database, err := url.Parse(modelstest.EmptyPostgreSQL(t))
		if err != nil {
			t.Fatal(err)
		}
		database.User = url.UserPassword(database.User.Username(), secret)
		wantsRefusal(t, command(t, []string{"DATABASE_URL=" + database.String()}), "DATABASE_URL: ", secret)
	})

	t.Run("data folder that cannot be written", func(t *testing.T) {
		t.Parallel()
		cmd := command(t, []string{"DATABASE_URL=sqlite:vestibule.db"})
		asNobody(t, cmd)
		if err := os.Chmod(cmd.Dir, 0o555); err != nil {
			t.Fatal(err)
		}
		wantsRefusal(t, cmd, "DATABASE_URL: can't write the SQLite file vestibule.db", secret)
	})

	t.Run("settings file in UTF-16", func(t *testing.T) {
		t.Parallel()
		cmd := command(t, nil)
		write(t, filepath.Join(cmd.Dir, ".env"), "\xff\xfeE\x00N\x00V\x00")
		wantsRefusal(t, cmd, "can't read the file .env: save it as UTF-8", secret)
	})

	for name, line := range map[string]string{
		"no equals sign":  "MAIL_FROM \"" + secret,
		"no second quote": "MAIL_FROM=\"" + secret,
	} {
		t.Run("settings file with "+name, func(t *testing.T) {
			t.Parallel()
			cmd := command(t, nil)
			write(t, filepath.Join(cmd.Dir, ".env"), line)
			wantsRefusal(t, cmd, "can't read the file .env: a line is not NAME=VALUE", secret)
		})
	}

	t.Run("settings file that is a folder", func(t *testing.T) {
		t.Parallel()
		cmd := command(t, nil)
		if err := os.Mkdir(filepath.Join(cmd.Dir, ".env"), 0o700); err != nil {
			t.Fatal(err)
		}
		wantsRefusal(t, cmd, "can't read the file .env: read .env", secret)
	})
}

// wantsRefusal runs a command that is to end with one sentence.
func wantsRefusal(t *testing.T, cmd *exec.Cmd, says, secret string) {
	t.Helper()
	got := finish(t, cmd)
	if got.code != 1 {
		t.Errorf("exit code %d, want 1", got.code)
	}
	if !strings.HasPrefix(got.stderr, "vestibule: ") || strings.Count(got.stderr, "\n") != 1 || !strings.Contains(got.stderr, says) {
		t.Errorf("it says %q, want one line with %q", got.stderr, says)
	}
	for _, bad := range []string{"goroutine ", secret, "%!"} {
		if strings.Contains(got.stdout+got.stderr, bad) {
			t.Errorf("it says %q:\n%s%s", bad, got.stdout, got.stderr)
		}
	}
}

// asNobody has root's command run as somebody to whom permissions apply.
func asNobody(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	const nobody = 65534
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if err := os.Chmod(filepath.Dir(cmd.Dir), 0o755); err != nil { // t.TempDir keeps others out
		t.Fatal(err)
	}
}

func TestMigrate(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		wants := func(pattern string, args ...string) {
			t.Helper()
			got := finish(t, command(t, []string{"DATABASE_URL=" + database}, append([]string{"migrate"}, args...)...))
			if got.code != 0 || !regexp.MustCompile(`^`+pattern+`$`).MatchString(got.stdout) {
				t.Fatalf("migrate %s prints\n%s, want %s\n%s", args, got.stdout, pattern, got.stderr)
			}
		}
		if file, ok := strings.CutPrefix(database, "sqlite:"); ok { // only "up" makes it
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		const pending, applied = `(\d{14}_\w+ +not yet\n)+`, `(\d{14}_\w+ +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n)+`
		wants(pending, "status")
		wants(`(Ran \d{14}_\w+\n)+`, "up")
		wants(applied, "status")
		wants(`Nothing to do\n`, "up")
		n := strings.Count(succeed(t, database, "migrate", "status"), "\n")
		wants(`Reverted \d{14}_\w+\n`, "down", "--yes")
		wants(fmt.Sprintf(`(\S+ +\d{4}-.*\n){%d}\S+ +not yet\n`, n-1), "status")
		for range n - 1 {
			wants(`Reverted \d{14}_\w+\n`, "down", "--yes")
		}
		wants(pending, "status")
		wants(`Nothing to do\n`, "down")
		wants(`(Ran \d{14}_\w+\n)+`, "up")

		serve(t, "DATABASE_URL="+database).signUp(apptest.Anna)
	})
}

// TestCommandsChangeNoSchema runs the commands in each environment: on a database that
// lacks a migration, without what only serving needs, and without a terminal.
func TestCommandsChangeNoSchema(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		succeed(t, database, "migrate", "up")
		all := succeed(t, database, "migrate", "status")
		at := "SQLite file " + strings.TrimPrefix(database, "sqlite:")
		if u, err := url.Parse(database); err == nil && u.User != nil {
			at = "PostgreSQL database " + strings.TrimPrefix(u.Path, "/") + " on " + u.Host
		}
		runs := func(env string, args ...string) result {
			t.Helper()
			got := finish(t, command(t, []string{"ENV=" + env, "DATABASE_URL=" + database}, args...))
			if got.database != "Database: "+at {
				t.Errorf("vestibule %s names %q, want %q", args, got.database, at)
			}
			return got
		}
		for _, env := range []string{"development", "production"} {
			got := runs(env, "migrate", "down")
			if newest := got.stderr; got.code != 1 || !strings.Contains(newest, "This reverts ") || !strings.Contains(newest, " DROP ") ||
				!strings.HasSuffix(newest, "vestibule: reverting a migration can permanently delete data: run it on a terminal to confirm, or pass --yes\n") {
				t.Errorf("%s: migrate down ends with %d:\n%s", env, got.code, got.stderr)
			}
			if after := succeed(t, database, "migrate", "status"); strings.Contains(after, "not yet") || len(after) != len(all) {
				t.Errorf("%s: migrate down without --yes leaves\n%s", env, after)
			}
			for command, prints := range map[string]string{"users list": "USERNAME", "sessions list": "USERNAME", "audit": "KIND", "migrate up": "Nothing to do\n"} {
				if got := runs(env, strings.Fields(command)...); got.code != 0 || got.stderr != "" || !strings.Contains(got.stdout, prints) {
					t.Errorf("%s: vestibule %s: exit code %d\n%s%s", env, command, got.code, got.stdout, got.stderr)
				}
			}
			got = runs(env, "migrate", "down", "--yes")
			if got.code != 0 || !strings.HasPrefix(got.stdout, "Reverted ") || !strings.Contains(got.stderr, " DROP ") {
				t.Errorf("%s: migrate down --yes: exit code %d\n%s%s", env, got.code, got.stdout, got.stderr)
			}
			before := succeed(t, database, "migrate", "status")
			for _, command := range []string{"users list", "sessions list", "audit", "migrate status"} {
				got := runs(env, strings.Fields(command)...)
				const says = "vestibule: the database schema is out of date: run vestibule migrate up first\n"
				if status := command == "migrate status"; status != (got.code == 0) || !status && got.stderr != says {
					t.Errorf("%s: vestibule %s: exit code %d\n%s", env, command, got.code, got.stderr)
				}
			}
			if after := succeed(t, database, "migrate", "status"); after != before {
				t.Errorf("%s: a command migrates:\n%s", env, after)
			}
			if got := runs(env, "migrate", "up"); got.code != 0 || !strings.HasPrefix(got.stdout, "Ran ") {
				t.Errorf("%s: migrate up: exit code %d\n%s", env, got.code, got.stderr)
			}
		}
	})
}

// TestCommandsCreateNothing looks for a database where none is.
func TestCommandsCreateNothing(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"users list", "sessions list", "audit", "migrate status", "migrate down --yes"} {
		cmd := command(t, nil, strings.Fields(args)...)
		if got := finish(t, cmd); got.code != 1 {
			t.Errorf("vestibule %s ends with %d", args, got.code)
		}
		if left, err := os.ReadDir(cmd.Dir); err != nil || len(left) > 0 {
			t.Errorf("vestibule %s leaves %v (%v)", args, left, err)
		}
	}
}

func TestMigrateAtOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		const processes = 3
		printed := make([]string, processes)
		var group sync.WaitGroup
		for i := range processes {
			cmd := command(t, []string{"DATABASE_URL=" + database}, "migrate", "up")
			group.Go(func() {
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Errorf("%v\n%s", err, out)
				}
				printed[i] = string(out)
			})
		}
		group.Wait()
		all := strings.Join(printed, "")
		if strings.Count(all, "Nothing to do\n") != processes-1 {
			t.Errorf("not exactly one process migrated:\n%s", all)
		}
		if left := succeed(t, database, "migrate", "status"); strings.Contains(left, "not yet") {
			t.Errorf("not all ran:\n%s", left)
		}
	})
}

func TestMigrateCreate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	got := succeed(t, modelstest.EmptySQLite(t), "migrate", "create", "add_projects", "--dir", dir)
	if n := strings.Count(got, "Created "+dir); n != 2 {
		t.Errorf("it created %d files, want 2:\n%s", n, got)
	}
	for _, way := range []string{"up", "down"} {
		files, err := filepath.Glob(filepath.Join(dir, "*_add_projects.tx."+way+".sql"))
		if err != nil || len(files) != 1 {
			t.Errorf("there are %d files for the way %s, want 1", len(files), way)
		}
	}
}

// TestEnvFile reads settings from a file, over which the environment wins.
func TestEnvFile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		settings []string
		args     []string
		uses     string
	}{
		{"file", nil, nil, "file.db"},
		{"environment", []string{"DATABASE_URL=sqlite:environment.db"}, nil, "environment.db"},
		{"flag", []string{"DATABASE_URL=sqlite:environment.db"}, []string{"--database-url=sqlite:flag.db"}, "flag.db"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cmd := command(t, tt.settings, append([]string{"migrate", "up"}, tt.args...)...)
			write(t, filepath.Join(cmd.Dir, ".env"), "DATABASE_URL=sqlite:file.db\n")
			if got := finish(t, cmd); got.code != 0 {
				t.Fatal(got.stderr)
			}
			databases, err := filepath.Glob(filepath.Join(cmd.Dir, "*.db"))
			if err != nil {
				t.Fatal(err)
			}
			if len(databases) != 1 || filepath.Base(databases[0]) != tt.uses {
				t.Errorf("it uses %s, want %s", databases, tt.uses)
			}
		})
	}
}

// TestSettingsAsPasted gives settings as files and forms hold them. Values are what they
// say.
func TestSettingsAsPasted(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file     string // .env
		settings []string
		uses     string // the file of the database
	}{
		"a dollar":                      {"DATABASE_URL=sqlite:a$HOME.db\n", nil, "a$HOME.db"},
		"a dollar in double quotes":     {`DATABASE_URL="sqlite:a${HOME}$b$$.db"`, nil, "a${HOME}$b$$.db"},
		"a dollar in single quotes":     {`DATABASE_URL='sqlite:a$HOME.db'`, nil, "a$HOME.db"},
		"a dollar of an earlier line":   {"NAME=x\nDATABASE_URL=sqlite:$NAME.db\n", nil, "$NAME.db"},
		"a dollar in the environment":   {"", []string{"DATABASE_URL=sqlite:a$HOME.db"}, "a$HOME.db"},
		"a hash":                        {"DATABASE_URL=sqlite:a#b.db # the database", nil, "a#b.db"},
		"a space, quoted":               {`DATABASE_URL="sqlite:a b.db"   # the database`, nil, "a b.db"},
		"lines of Windows":              {"ENV=development\r\nDATABASE_URL=sqlite:a.db\r\nLOG_LEVEL=info\r\n", nil, "a.db"},
		"a mark at the start":           {"\ufeffDATABASE_URL=sqlite:a.db\n", nil, "a.db"},
		"export":                        {"export DATABASE_URL=sqlite:a.db", nil, "a.db"},
		"a line break":                  {"", []string{"DATABASE_URL=sqlite:a.db\r\n"}, "a.db"},
		"spaces":                        {"", []string{"DATABASE_URL= sqlite:a.db\t", "DATABASE_CONNS= 4 ", "SESSION_MAX= 90d\n"}, "a.db"},
		"quotes that docker keeps":      {"", []string{`DATABASE_URL="sqlite:a.db"`, "LOG_LEVEL='info'"}, "a.db"},
		"an empty setting":              {"", []string{"DATABASE_URL=", "SESSION_IDLE=", "ENV= "}, "data/vestibule.db"},
		"an empty one, but in the file": {"DATABASE_URL=sqlite:a.db", []string{"DATABASE_URL="}, "a.db"},
		"days":                          {"DATABASE_URL=sqlite:a.db\nSESSION_IDLE=30d\n", nil, "a.db"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := command(t, append([]string{"HOME=" + t.TempDir()}, tt.settings...), "migrate", "up")
			write(t, filepath.Join(cmd.Dir, ".env"), tt.file)
			if got := finish(t, cmd); got.code != 0 {
				t.Fatal(got.stderr)
			}
			if _, err := os.Stat(filepath.Join(cmd.Dir, tt.uses)); err != nil {
				left, _ := filepath.Glob(filepath.Join(cmd.Dir, "*"))
				t.Errorf("there are %s, want %s", left, tt.uses)
			}
		})
	}
}

// TestServe serves with the command and without one, on a database of its own
// in a folder that it makes.
func TestServe(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"serve"}} {
		t.Run(strings.Join(append([]string{"vestibule"}, args...), " "), func(t *testing.T) {
			t.Parallel()
			s := serveBy(t, args)
			answer, err := http.Get(s.url)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				t.Error(answer.Status)
			}
			if _, err := os.Stat(filepath.Join(s.cmd.Dir, "data", "vestibule.db")); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestProduction serves a migrated database by https, as behind a proxy.
func TestProduction(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		succeed(t, database, "migrate", "up")
		s := serve(t, "DATABASE_URL="+database, "ENV=production", "BASE_URL=https://example.com", "SMTP_URL=smtp://127.0.0.1:1", "MAIL_FROM=hall@example.com")
		for _, path := range []string{"/dev/mail", "/debug/pprof/", "/debug/pprof/heap", "/debug/vars", "/metrics"} {
			answer, err := http.Get(s.url + path)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != http.StatusNotFound {
				t.Errorf("%s, which is for development, is open to all: %s", path, answer.Status)
			}
		}
		for line := range strings.Lines(s.log.String()) {
			if !strings.HasPrefix(line, "{") {
				t.Errorf("a line of the log is not JSON: %s", line)
			}
			if strings.Contains(line, `"level":"DEBUG"`) {
				t.Errorf("the log has a line for debugging: %s", line)
			}
		}
	})
}

// TestStopDuringRequest sends SIGTERM while a sign-up is half sent.
func TestStopDuringRequest(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		s := serve(t, "DATABASE_URL="+database)
		form := apptest.Anna.Form().Encode()
		body, half := io.Pipe()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/sign-up", body)
		if err != nil {
			t.Fatal(err)
		}
		request.ContentLength = int64(len(form))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Expect", "100-continue") // the body begins when the handler reads it

		answers := make(chan *http.Response, 1)
		go func() {
			defer close(answers)
			answer, err := (&http.Transport{ExpectContinueTimeout: patience}).RoundTrip(request)
			if err != nil {
				t.Error(err)
				return
			}
			answer.Body.Close()
			answers <- answer
		}()
		mustWrite(t, half, form[:20])
		s.terminate()
		if !waitFor(func() bool { return s.log.contains("stopping") }) {
			t.Fatal("it does not stop")
		}
		mustWrite(t, half, form[20:])
		half.Close()
		if answer := <-answers; answer == nil || answer.StatusCode != http.StatusSeeOther {
			t.Fatalf("the sign-up was not finished: %v", answer)
		}
		s.stop()

		again := serve(t, "DATABASE_URL="+database)
		c := again.caller(t)
		c.wants(c.signIn(apptest.Anna), "sign-in", http.StatusSeeOther)
		c.wantsStatus(c.get("/dashboard"), "/dashboard", http.StatusOK)
	})
}

// TestShutdownDelay asks for pages after SIGTERM, as a balancer does that has not
// noticed it yet, and for one that causes a mail.
func TestShutdownDelay(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		office := apptest.StartMailServer(t)
		s := serve(t, "DATABASE_URL="+database, "SMTP_URL="+office.URL, "MAIL_FROM=hall@example.com", "SHUTDOWN_DELAY=30s")
		c := s.caller(t)
		c.wantsStatus(c.get("/readyz"), "/readyz", http.StatusOK)
		s.terminate()
		if !waitFor(func() bool { return c.get("/readyz").status != http.StatusOK }) {
			t.Fatal("the program stays ready")
		}
		c.wantsStatus(c.get("/readyz"), "/readyz", http.StatusServiceUnavailable)
		got := c.get("/sign-in")
		c.wantsStatus(got, "/sign-in", http.StatusOK)
		if !got.last {
			t.Error("a balancer may keep the connection for the next request")
		}
		c.wantsStatus(c.post("/sign-up", apptest.Anna.Form()), "sign-up", http.StatusSeeOther)
		c.wantsStatus(c.get("/dashboard"), "/dashboard", http.StatusOK)
		if !waitFor(func() bool { return len(office.To(apptest.Anna.Email, apptest.VerifySubject)) == 1 || s.ended() }) || s.ended() {
			t.Error("mail waits until the program comes back")
		}
	})
}

func mustWrite(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
