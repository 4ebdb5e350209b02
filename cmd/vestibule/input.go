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

// readPassword reads a new password: twice and without echo on a terminal, or once
// from the first line of standard input, which it then returns twice.
func readPassword(ctx context.Context) (pw, again string, err error) {
	in := bufio.NewReader(os.Stdin)
	if !onTerminal() {
		pw, err = readLine(ctx, in)
		if err == nil && pw == "" {
			err = errors.New("no password on standard input: nothing was done")
		}
		return pw, pw, err
	}
	if err := stty("-echo"); err != nil {
		return "", "", errors.New("can't hide the password on this terminal: pass it through a pipe or a file")
	}
	defer func() {
		fmt.Fprintln(os.Stderr)
		err = errors.Join(err, stty("echo"))
	}()
	fmt.Fprint(os.Stderr, "New password: ")
	if pw, err = readLine(ctx, in); err != nil {
		return "", "", err
	}
	fmt.Fprint(os.Stderr, "\nConfirm password: ")
	again, err = readLine(ctx, in)
	return pw, again, err
}

// onTerminal reports whether standard input is a terminal.
func onTerminal() bool { return isatty.IsTerminal(os.Stdin.Fd()) }

// stty changes a setting of the terminal on standard input.
func stty(setting string) error {
	cmd := exec.Command("stty", setting) // #nosec G204 -- the program and its settings are constants
	cmd.Stdin = os.Stdin
	return cmd.Run()
}

// maxLine is the longest part of a line that is read, in bytes.
const maxLine = 64 << 10

// readLine reads up to the end of a line or of the input. It returns an error if ctx
// ends first, such as on a signal.
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
		return "", errors.New("interrupted: nothing was done")
	case err := <-done:
		return string(bytes.TrimSuffix(line, []byte{'\r'})), err
	}
}
