//go:build linux || darwin || freebsd

package modelstest

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"
)

// childVariable tells the test binary how to end as the child of a test.
const childVariable = "MODELSTEST_CHILD"

func TestMain(m *testing.M) {
	if how := os.Getenv(childVariable); how != "" {
		child(how)
	}
	os.Exit(m.Run())
}

// child starts a cluster, tells where, and ends in the given way, or waits to
// be killed.
func child(how string) {
	c, err := Shared()
	if err != nil {
		panic(err)
	}
	fmt.Println(c.dir)
	switch how {
	case "exit":
		os.Exit(0)
	case "panic":
		panic("as the test wants")
	}
	select {}
}

func create(t *testing.T, c *Cluster, template string) *sql.DB {
	t.Helper()
	dsn, drop, err := c.CreateDatabase(t.Context(), template)
	if err != nil {
		t.Fatal(err)
	}
	db := open(dsn)
	t.Cleanup(func() {
		if err := drop(); err != nil {
			t.Error(err)
		}
		db.Close()
	})
	return db
}

func open(dsn string) *sql.DB {
	return sql.OpenDB(pgdriver.NewConnector(pgdriver.WithDSN(dsn)))
}

func run(t *testing.T, db *sql.DB, query string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func ask(t *testing.T, db *sql.DB, query string) (answer string) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return answer
}

func TestDatabases(t *testing.T) {
	NotShort(t, "PostgreSQL")
	c, err := Shared()
	if err != nil {
		t.Fatal(err)
	}
	a, b := create(t, c, ""), create(t, c, "")
	run(t, a, "CREATE TABLE only_here (n int)")
	if got := ask(t, b, "SELECT count(*)::text FROM pg_tables WHERE tablename = 'only_here'"); got != "0" {
		t.Error("two databases share their tables")
	}
}

func TestSettings(t *testing.T) {
	db := create(t, Own(t), "")
	for name, want := range map[string]string{
		"timezone":        "Asia/Kolkata",
		"fsync":           "off",
		"max_connections": "400",
		"server_encoding": "UTF8",
		"lc_ctype":        "C.UTF-8",
	} {
		if got := ask(t, db, "SELECT current_setting('"+name+"')"); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestTemplate(t *testing.T) {
	NotShort(t, "PostgreSQL")
	c, err := Shared()
	if err != nil {
		t.Fatal(err)
	}
	template, drop, err := c.CreateDatabase(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { drop() })
	db := open(template)
	run(t, db, "CREATE TABLE t AS SELECT 'copied' AS s")

	// The session on the template outlives the start of the first copy.
	time.AfterFunc(100*time.Millisecond, func() { db.Close() })
	t.Run("copies", func(t *testing.T) {
		for i := range 4 {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				if got := ask(t, create(t, c, template), "SELECT s FROM t"); got != "copied" {
					t.Errorf("the copy says %q", got)
				}
			})
		}
	})
	if _, _, err := c.CreateDatabase(t.Context(), "no such database"); err == nil {
		t.Error("copied a database that does not exist")
	}
}

func TestKillAndStart(t *testing.T) {
	c := Own(t)
	if err := c.Start(); err == nil {
		t.Error("started a running server")
	}
	db := create(t, c, "")
	run(t, db, "CREATE TABLE t AS SELECT 'kept' AS s")
	for range 3 {
		if err := c.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := db.PingContext(t.Context()); err == nil {
			t.Error("the server answers after Kill")
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if got := ask(t, db, "SELECT s FROM t"); got != "kept" {
			t.Errorf("the table says %q", got)
		}
	}
}

func TestStop(t *testing.T) {
	c := Own(t)
	pid := serverPID(t, c.dir)
	for range 2 {
		if err := c.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	assertGone(t, c.dir, pid)
	if c.Start() == nil || c.Kill() == nil {
		t.Error("a stopped cluster still obeys")
	}
}

func TestServerThatCannotStart(t *testing.T) {
	t.Setenv(urlVariable, "")
	_, err := Postgres("no_such_setting=1")
	if err == nil || !strings.Contains(err.Error(), `unrecognized configuration parameter "no_such_setting"`) {
		t.Errorf("the error does not hold the server's log: %v", err)
	}
}

func TestNotInstalled(t *testing.T) {
	_, err := pick([]string{t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "apt-get install postgresql") {
		t.Errorf("the error does not tell what to install: %v", err)
	}
}

func TestVersion(t *testing.T) {
	for dir, want := range map[string]float64{
		"/usr/lib/postgresql/9.6/bin":         9.6,
		"/usr/lib/postgresql/15/bin":          15,
		"/usr/pgsql-17/bin":                   17,
		"/opt/homebrew/opt/postgresql@16/bin": 16,
		"/opt/homebrew/opt/postgresql/bin":    0,
	} {
		if got := version(dir); got != want {
			t.Errorf("version(%q) = %v, want %v", dir, got, want)
		}
	}
}

func TestExistingServer(t *testing.T) {
	c := Own(t)
	t.Setenv(urlVariable, c.URL("postgres"))
	other, err := Postgres()
	if err != nil {
		t.Fatal(err)
	}
	db := create(t, other, "")
	if got := ask(t, db, "SELECT inet_server_port()::text"); got != c.url.Port() {
		t.Errorf("connected to port %s, want %s", got, c.url.Port())
	}
	if got, want := other.URL("x"), c.URL("x"); got != want {
		t.Errorf("URL: %q, want %q", got, want)
	}
	if other.Kill() == nil || other.Start() == nil {
		t.Error("a server that is not ours obeys")
	}
	if err := other.Stop(); err != nil {
		t.Error(err)
	}
	if err := db.PingContext(t.Context()); err != nil {
		t.Errorf("Stop ended a server that is not ours: %v", err)
	}

	for _, bad := range []string{"mysql://localhost/x", "postgres://nobody@" + c.url.Host + "/x?sslmode=disable"} {
		t.Setenv(urlVariable, bad)
		if _, err := Postgres(); err == nil || !strings.Contains(err.Error(), urlVariable) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestNothingOutlivesTheProcess ends processes that have started a cluster.
func TestNothingOutlivesTheProcess(t *testing.T) {
	NotShort(t, "PostgreSQL")
	for _, how := range []string{"exit", "panic", "SIGKILL"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			cmd, dir := startChild(t, how)
			if how == "SIGKILL" {
				pid := serverPID(t, dir)
				cmd.Process.Kill()
				defer assertGone(t, dir, pid)
			}
			cmd.Wait()
			assertGone(t, dir, 0)
		})
	}
}

// TestDeathWhileStarting kills a process at many moments of its start.
func TestDeathWhileStarting(t *testing.T) {
	NotShort(t, "PostgreSQL")
	for delay := time.Duration(0); delay < time.Second; delay += 100 * time.Millisecond {
		t.Run(delay.String(), func(t *testing.T) {
			t.Parallel()
			tmp := sharedTempDir(t)
			cmd := childCommand("SIGKILL", tmp)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(delay)
			cmd.Process.Kill()
			cmd.Wait()
			dirs, _ := filepath.Glob(tmp + "/*")
			for _, dir := range dirs {
				assertGone(t, dir, 0)
			}
		})
	}
}

func childCommand(how, tmp string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+how, urlVariable+"=", "TMPDIR="+tmp)
	return cmd
}

func startChild(t *testing.T, how string) (_ *exec.Cmd, dir string) {
	t.Helper()
	cmd := childCommand(how, sharedTempDir(t))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(line)
}

// sharedTempDir is a temporary directory in which the user postgres may write.
func sharedTempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(tempDir(), "modelstest-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	return dir
}

func serverPID(t *testing.T, dir string) int {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(file), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// assertGone waits for the directory of a cluster to vanish, which it does
// after the server, and checks that the process has.
func assertGone(t *testing.T, dir string, pid int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		if _, err := os.Stat(dir); os.IsNotExist(err) {
			break
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s is still there", dir)
		case <-time.After(20 * time.Millisecond):
		}
	}
	if pid != 0 && syscall.Kill(pid, 0) == nil {
		t.Errorf("the server, process %d, still runs", pid)
	}
}
