package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/mattn/go-isatty"
)

// readPassword reads a new password: on a terminal twice and unseen, else from
// the first line of standard input, which then counts for both.
func readPassword(ctx context.Context) (pw, again string, err error) {
	in := bufio.NewReader(os.Stdin)
	if !onTerminal() {
		pw, err = readLine(ctx, in)
		if err == nil && pw == "" {
			err = errors.New("there is no password on standard input: nothing is done")
		}
		return pw, pw, err
	}
	if err := stty("-echo"); err != nil {
		return "", "", errors.New("the terminal would show the password: give it through a pipe or a file")
	}
	defer func() {
		fmt.Fprintln(os.Stderr)
		err = errors.Join(err, stty("echo"))
	}()
	fmt.Fprint(os.Stderr, "New password: ")
	if pw, err = readLine(ctx, in); err != nil {
		return "", "", err
	}
	fmt.Fprint(os.Stderr, "\nThe same again: ")
	again, err = readLine(ctx, in)
	return pw, again, err
}

// onTerminal tells whether somebody sits at standard input.
func onTerminal() bool { return isatty.IsTerminal(os.Stdin.Fd()) }

// stty changes the terminal at standard input.
func stty(setting string) error {
	cmd := exec.Command("stty", setting) // #nosec G204 -- the program is fixed, the setting no outsider's
	cmd.Stdin = os.Stdin
	return cmd.Run()
}

// maxLine is more than a line of standard input that anything is done with.
const maxLine = 64 << 10

// readLine reads a line, which the end of the input ends too. It gives up when
// ctx ends: a signal comes between.
func readLine(ctx context.Context, in *bufio.Reader) (string, error) {
	var line []byte
	done := make(chan error, 1)
	go func() {
		for len(line) < maxLine {
			b, err := in.ReadByte()
			if err == io.EOF || b == '\n' {
				break
			}
			if err != nil {
				done <- err
				return
			}
			line = append(line, b)
		}
		done <- nil
	}()
	select {
	case <-ctx.Done():
		return "", errors.New("interrupted: nothing is done")
	case err := <-done:
		return string(bytes.TrimSuffix(line, []byte{'\r'})), err
	}
}
