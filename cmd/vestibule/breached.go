package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"

	"vestibule/app/breached"
)

type breachedCmd struct {
	Build breachedBuild `cmd:"" help:"Make the file that BREACHED_PASSWORDS names from a public list of hashes."`
}

type breachedBuild struct {
	File  string `arg:"" help:"The file to write."`
	List  string `default:"-" help:"The list, plain or compressed by gzip; - is standard input."`
	Least int    `default:"1" help:"Leave out passwords that the list counts fewer times."`
}

// Help returns the details that --help prints below the summary.
func (breachedBuild) Help() string {
	return "The list has one SHA-1 a line, as HASH:COUNT and in order: the tool haveibeenpwned-downloader writes such a file. " +
		"The result takes 2.4 MB for a million passwords, and calls one of 65,536 other passwords breached. Building needs 40 MB of memory, whatever the size. " +
		"--least=100 keeps the passwords that people use most, in a much smaller file."
}

func (c breachedBuild) Run() error {
	list := io.Reader(os.Stdin)
	if c.List != "-" {
		file, err := os.Open(c.List)
		if err != nil {
			return err
		}
		defer file.Close()
		list = file
	}
	out, err := os.CreateTemp(filepath.Dir(c.File), filepath.Base(c.File)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name()) // fails once it has its name
	count, err := breached.Build(list, out, c.Least)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	if err := os.Chmod(out.Name(), 0o644); err != nil { // #nosec G302 -- it holds nothing secret
		return err
	}
	if err := os.Rename(out.Name(), c.File); err != nil {
		return err
	}
	info, err := os.Stat(c.File)
	if err != nil {
		return err
	}
	fmt.Printf("Wrote %s passwords to %s (%s).\n", humanize.Comma(int64(count)), c.File, humanize.Bytes(uint64(info.Size()))) // #nosec G115 -- no file is that large
	return nil
}
