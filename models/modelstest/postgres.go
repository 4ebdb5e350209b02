//go:build linux || darwin || freebsd

// Package modelstest gives tests a real PostgreSQL to run against: a
// throw-away cluster started from the binaries of the machine, which cannot
// outlive the test process.
package modelstest

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"
)

const (
	// urlVariable names a server to use in place of a throw-away one.
	urlVariable = "TEST_DATABASE_URL"

	// patience bounds the wait for the server: its start, or a statement.
	patience = time.Minute

	// objectInUse is the SQLSTATE of a template that has other sessions.
	objectInUse = "55006"
)

// settings trade durability for speed as far as a killed server loses nothing;
// synchronous_commit=off would go too far. The time zone is not UTC so that code
// which assumes UTC fails.
var settings = []string{
	"listen_addresses=127.0.0.1",
	"unix_socket_directories=",
	"max_connections=400",
	"shared_buffers=128MB",
	"max_wal_size=256MB",
	"fsync=off",
	"full_page_writes=off",
	"timezone=Asia/Kolkata",
}

// supervisor is the shell script that owns the server. "start PORT" on its
// standard input starts the server, and the next line shuts it down at once;
// each end of the server is answered by a line. The end of input, which comes
// when the test process ends for whatever reason, shuts the server down too and
// removes the directory.
//
// The guard reads the same input, so it must be gone before the next line comes, or it
// might take a part of that. A dead test process must not end the script by SIGPIPE. The
// signal to the server is repeated because it ignores it in its first moments.
const supervisor = `
dir=$1 bin=$2
shift 2
trap '' PIPE
exec 3<&0
"$bin/initdb" -D "$dir/data" -U postgres --pwfile="$dir/password" --auth=scram-sha-256 \
	--encoding=UTF8 --locale=C.UTF-8 --no-sync --no-instructions >&2
while read -r command port; do
	[ "$command" = start ] || continue
	"$bin/postgres" -D "$dir/data" -p "$port" "$@" >&2 3<&- & server=$!
	{ read -r _; while kill -QUIT $server; do sleep 1; done; } <&3 >/dev/null 2>&1 & guard=$!
	wait $server
	kill $guard
	wait $guard
	echo exited
done
rm -rf "$dir"
`

// Cluster is a PostgreSQL server in which tests create databases. Its methods
// may be called concurrently.
type Cluster struct {
	url      url.URL    // of the maintenance database
	creating sync.Mutex // held while a template is copied

	// The rest is unset for a server that is not ours.
	dir     string
	release func() error // of its port

	mu       sync.Mutex // guards what follows
	shell    *exec.Cmd
	commands io.WriteCloser
	exits    chan struct{} // receives each end of the server; closed by that of the shell
	running  bool
}

// Shared returns the one cluster of this process, started by the first call.
// It need not be stopped: it ends with the process.
func Shared() (*Cluster, error) { return shared() }

var shared = sync.OnceValues(func() (*Cluster, error) { return Postgres() })

// Postgres starts a cluster, with the given settings ("name=value") on top of
// those that make it fast. When TEST_DATABASE_URL is set, it starts nothing and
// returns the server at that URL, whose user must be allowed to create
// databases.
func Postgres(extra ...string) (*Cluster, error) {
	if dsn := os.Getenv(urlVariable); dsn != "" {
		return existing(dsn)
	}
	bin, err := pick(installations())
	if err != nil {
		return nil, err
	}
	return launch(bin, extra)
}

func existing(dsn string) (*Cluster, error) {
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, errors.New(urlVariable + " is not a postgres:// URL")
	}
	c := &Cluster{url: *u}
	if err := c.exec(context.Background(), "SELECT 1"); err != nil {
		return nil, fmt.Errorf("%s: %w", urlVariable, err)
	}
	return c, nil
}

// launch starts a cluster of the binaries in bin.
func launch(bin string, extra []string) (_ *Cluster, err error) {
	dir, err := os.MkdirTemp(tempDir(), "postgres-")
	if err != nil {
		return nil, err
	}
	password := rand.Text()
	c := &Cluster{
		dir: dir,
		url: url.URL{
			Scheme:   "postgres",
			User:     url.UserPassword("postgres", password),
			Path:     "/postgres",
			RawQuery: "sslmode=disable",
		},
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Stop())
		}
	}()
	if err := c.supervise(bin, password, extra); err != nil {
		return nil, fmt.Errorf("modelstest: run a shell in %s: %w", dir, err)
	}
	for attempt := 1; ; attempt++ { // a port may be taken between its choice and its use
		if c.url.Host, c.release, err = ReservePort(); err != nil {
			return nil, err
		}
		if err = c.Start(); err == nil || c.running || attempt == 3 {
			return c, err
		}
		if err := c.release(); err != nil {
			return nil, err
		}
	}
}

// supervise starts the shell. The server refuses to run as root, so root starts it as the
// user postgres.
func (c *Cluster) supervise(bin, password string, extra []string) error {
	attr := &syscall.SysProcAttr{Setsid: true} // out of reach of the terminal's Ctrl-C
	passwordFile := filepath.Join(c.dir, "password")
	if err := os.WriteFile(passwordFile, []byte(password), 0o600); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		uid, gid, err := postgresUser()
		if err != nil {
			return err
		}
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)} // #nosec G115 -- ids have 32 bits
		if err := errors.Join(os.Chown(passwordFile, uid, gid), os.Chown(c.dir, uid, gid)); err != nil {
			return err
		}
	}
	log, err := os.Create(c.log())
	if err != nil {
		return err
	}
	defer log.Close()

	args := []string{"-c", supervisor, "sh", c.dir, bin}
	for _, setting := range slices.Concat(settings, extra) {
		args = append(args, "-c", setting)
	}
	shell := exec.Command("/bin/sh", args...) // #nosec G204 -- the script is ours, and takes the rest as arguments
	shell.Dir = c.dir
	shell.Env = append(os.Environ(), "LC_ALL=C")
	shell.Stderr = log
	shell.SysProcAttr = attr
	commands, err := shell.StdinPipe()
	if err != nil {
		return err
	}
	replies, err := shell.StdoutPipe()
	if err != nil {
		return err
	}
	if err := shell.Start(); err != nil {
		return err
	}
	c.shell, c.commands, c.exits = shell, commands, make(chan struct{})
	go func() {
		defer close(c.exits)
		for lines := bufio.NewScanner(replies); lines.Scan(); {
			c.exits <- struct{}{}
		}
	}()
	return nil
}

// URL returns the URL of a database of the cluster.
func (c *Cluster) URL(database string) string {
	u := c.url
	u.Path = "/" + database
	return u.String()
}

// CreateDatabase creates a database with a name of its own, and returns its URL
// and the function that drops it, whoever is connected to it. The database is a
// copy of the one that template, a name or a URL, denotes; it is empty if
// template is.
func (c *Cluster) CreateDatabase(ctx context.Context, template string) (dsn string, drop func() error, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()

	name := "test_" + strings.ToLower(rand.Text())
	query := "CREATE DATABASE " + name
	if template != "" {
		u, err := url.Parse(template)
		if err != nil {
			return "", nil, err
		}
		query += " TEMPLATE " + quote(path.Base(u.Path))
	}

	c.creating.Lock()
	defer c.creating.Unlock()
	var busy error
	for {
		err := c.exec(ctx, query)
		if err == nil {
			break
		}
		// Another process may be copying the same template, and a session that
		// was just closed takes a moment to go. The server itself has waited
		// for five seconds, so there is no need to wait more here.
		if pgErr, ok := errors.AsType[pgdriver.Error](err); !ok || pgErr.Field('C') != objectInUse {
			return "", nil, fmt.Errorf("modelstest: create a database: %w", errors.Join(err, busy))
		}
		busy = err
	}
	drop = func() error {
		return c.exec(context.Background(), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
	}
	return c.URL(name), drop, nil
}

// exec runs a statement in the maintenance database, on a connection of its
// own since the server may have been restarted since the last one.
func (c *Cluster) exec(ctx context.Context, query string) error {
	db := sql.OpenDB(pgdriver.NewConnector(pgdriver.WithDSN(c.url.String()), pgdriver.WithTimeout(patience)))
	defer db.Close()
	_, err := db.ExecContext(ctx, query)
	return err
}

// Start starts the server that Kill has ended, on the same port and with the
// same data, and returns once it accepts connections.
func (c *Cluster) Start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shell == nil {
		return errors.New("modelstest: no server of ours to start")
	}
	if c.running {
		return errors.New("modelstest: the server is running")
	}
	if _, err := fmt.Fprintln(c.commands, "start", c.url.Port()); err != nil {
		return fmt.Errorf("modelstest: start PostgreSQL: %w", err)
	}
	c.running = true

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := c.exec(ctx, "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-c.exits:
			c.running = false
			return fmt.Errorf("modelstest: PostgreSQL does not start: %w\n%s", err, c.logTail())
		case <-ctx.Done():
			return fmt.Errorf("modelstest: PostgreSQL does not answer: %w\n%s", err, c.logTail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Kill ends the server at once, as a crash would: its connections break, it
// writes no checkpoint, and the next Start has to recover.
func (c *Cluster) Kill() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shell == nil {
		return errors.New("modelstest: no server of ours to kill")
	}
	if !c.running {
		return nil
	}
	if _, err := fmt.Fprintln(c.commands, "kill"); err != nil {
		return fmt.Errorf("modelstest: kill PostgreSQL: %w", err)
	}
	<-c.exits
	c.running = false
	return nil
}

// Stop ends the server and removes its data. It does nothing to a server that
// is not ours.
func (c *Cluster) Stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dir == "" {
		return nil
	}
	if c.shell != nil {
		_ = c.commands.Close()
		for range c.exits {
		}
		// Its status is that of rm, which may lack the right to remove the
		// directory itself.
		_ = c.shell.Wait()
		c.shell, c.running = nil, false
	}
	var err error
	if c.release != nil {
		err, c.release = c.release(), nil
	}
	return errors.Join(err, os.RemoveAll(c.dir))
}

func (c *Cluster) log() string { return filepath.Join(c.dir, "log") }

// Log returns what the server has logged so far.
func (c *Cluster) Log() (string, error) {
	text, err := os.ReadFile(c.log())
	return string(text), err
}

// logTail returns the end of the server's log.
func (c *Cluster) logTail() string {
	log, err := os.ReadFile(c.log())
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-4096):])
}

// installations lists the directories where PostgreSQL may be, best first.
func installations() []string {
	var dirs []string
	if file, err := exec.LookPath("postgres"); err == nil {
		dirs = append(dirs, filepath.Dir(file))
	}
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	var versions []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",
		"/usr/pgsql-*/bin",
		"/opt/homebrew/opt/postgresql*/bin",
	} {
		matches, _ := filepath.Glob(pattern)
		versions = append(versions, matches...)
	}
	slices.SortStableFunc(versions, func(a, b string) int { return cmp.Compare(version(b), version(a)) })
	return append(dirs, versions...)
}

// version returns the number in the path of an installation.
func version(dir string) float64 {
	number, _ := strconv.ParseFloat(strings.Trim(strings.Map(func(r rune) rune {
		if r == '.' || '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, dir), "."), 64)
	return number
}

// pick returns the first of dirs that holds a whole server.
func pick(dirs []string) (string, error) {
	for _, dir := range dirs {
		_, errInit := exec.LookPath(filepath.Join(dir, "initdb"))
		_, errServer := exec.LookPath(filepath.Join(dir, "postgres"))
		if errInit == nil && errServer == nil {
			return dir, nil
		}
	}
	return "", errors.New("PostgreSQL is not installed: apt-get install postgresql, or set " + urlVariable)
}

// postgresUser returns the ids of the user postgres.
func postgresUser() (uid, gid int, err error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		return 0, 0, fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	uid, errUID := strconv.Atoi(u.Uid)
	gid, errGID := strconv.Atoi(u.Gid)
	return uid, gid, errors.Join(errUID, errGID)
}

// tempDir returns where to put clusters: in memory if there is plenty, since a
// database is hundreds of files and some file systems are slow to create them.
func tempDir() string {
	const memory, plenty = "/dev/shm", 4 << 30
	var fs syscall.Statfs_t
	if os.Getenv("TMPDIR") != "" || syscall.Statfs(memory, &fs) != nil {
		return os.TempDir()
	}
	if free := uint64(fs.Bavail) * uint64(fs.Bsize); free >= plenty { // #nosec G115 -- sizes are not negative
		return memory
	}
	return os.TempDir()
}

func quote(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
