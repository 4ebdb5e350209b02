// Vestibule serves the site and manages its database.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/alecthomas/kong"

	"vestibule/app"
	"vestibule/app/text"
	"vestibule/app/web"
)

type commands struct {
	Serve         serve         `cmd:"" default:"withargs" help:"Serve the site. In development, run pending migrations first."`
	Migrate       migrate       `cmd:"" help:"Manage the database schema."`
	Backup        backup        `cmd:"" help:"Copy the database to a file, while the site runs."`
	Restore       restore       `cmd:"" help:"Put a backup in place of the database, and void what it brings back."`
	AfterRestore  afterRestore  `cmd:"" help:"Void what a backup brought back, if you restored it by other means."`
	Users         users         `cmd:"" help:"Manage user accounts."`
	Invitations   invitations   `cmd:"" help:"Manage invitations to create an account."`
	Breached      breachedCmd   `cmd:"" help:"Manage the list of breached passwords."`
	Secrets       secretKeys    `cmd:"" help:"Manage the keys that encrypt the secrets of authenticator apps."`
	Sessions      sessions      `cmd:"" help:"Manage sessions."`
	Audit         audit         `cmd:"" help:"List the audit log, newest first."`
	Organizations organizations `cmd:"" help:"Manage organizations."`
	Throttles     throttles     `cmd:"" help:"Manage the waits that too many attempts cause."`
	Mail          mails         `cmd:"" aliases:"mails" help:"Manage mail."`
	Check         check         `cmd:"" help:"Check that a site would work: database, mail server, hashing, proxy, clock and disk."`

	As string `placeholder:"NAME" help:"Your name, for the audit log: it says who ran a command that changes something."`

	Version kong.VersionFlag `help:"Print the version and commit."`

	app.Config `embed:"" group:"Settings (from flags, environment variables or the file .env):"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "vestibule:", err)
		os.Exit(1)
	}
}

// readName returns the name of an operator as the audit log has it.
func readName(typed string) (string, error) {
	name := text.Line(strings.ToValidUTF8(typed, ""))
	if typed != "" && name == "" || utf8.RuneCountInString(name) > 100 {
		return "", errors.New("--as must be a name of at most 100 characters")
	}
	return name, nil
}

// run carries out one command line.
func run(args []string) error {
	if slices.Equal(args, []string{hashCommand}) { // it needs no settings
		return hash()
	}
	if err := errors.Join(readEnvFile(), tidyEnvironment()); err != nil {
		return err
	}
	var c commands
	build, _ := debug.ReadBuildInfo() // nil if absent
	parser, err := kong.New(&c,
		kong.Name("vestibule"),
		kong.Description("The front hall of a web product: accounts and sessions."),
		kong.Vars{"version": web.Version(build)},
		kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(decodeDuration)),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: false}),
	)
	if err != nil {
		return err
	}
	command, err := parser.Parse(args)
	if err != nil {
		return err
	}
	if err := refuseSecretFlags(command); err != nil {
		return err
	}
	c.Providers = app.ReadProviders(os.Environ())
	// The first signal starts a clean shutdown; a second one ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	defer stop()
	if c.As, err = readName(c.As); err != nil {
		return err
	}
	command.BindTo(withOperator(ctx, c.As), (*context.Context)(nil))
	return command.Run(&c.Config, logger(&c.Config, os.Stderr))
}
