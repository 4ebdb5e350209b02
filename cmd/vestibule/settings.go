package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/joho/godotenv"

	"vestibule/app"
	"vestibule/app/text"
)

// readEnvFile takes settings from the file .env, if there is one. The environment wins
// over it.
func readEnvFile() error {
	text, err := os.ReadFile(".env")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("can't read the file .env: %w", err)
	}
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return errors.New("can't read the file .env: save it as UTF-8, not as UTF-16")
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	// The library puts variables in place of $NAME, which would spoil a password. It
	// can't be told not to, so it gets no $ to see.
	const dollar = "\x00"
	values, err := godotenv.UnmarshalBytes(bytes.ReplaceAll(text, []byte("$"), []byte(dollar)))
	if err != nil { // err quotes a line, which may hold a secret
		return errors.New("can't read the file .env: a line is not NAME=VALUE, or a quote in it has no end")
	}
	for name, value := range values {
		if strings.TrimSpace(os.Getenv(name)) != "" {
			continue
		}
		if err := os.Setenv(name, strings.ReplaceAll(value, dollar, "$")); err != nil {
			return fmt.Errorf("can't read the file .env: %w", err)
		}
	}
	return nil
}

// tidyEnvironment removes from each setting what a file or a form leaves around it:
// space, a line break, or the quotes that docker --env-file keeps. An empty setting
// counts as unset.
func tidyEnvironment() error {
	var names []string
	for field := range reflect.TypeFor[app.Config]().Fields() {
		if name := field.Tag.Get("env"); name != "" {
			names = append(names, name)
		}
	}
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); app.IsProviderSetting(name) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		value := strings.Trim(os.Getenv(name), "\ufeff\u200b \t\r\n")
		if n := len(value); n >= 2 && value[0] == value[n-1] && (value[0] == '"' || value[0] == '\'') {
			value = strings.TrimSpace(value[1 : n-1])
		}
		err := os.Setenv(name, value)
		if value == "" {
			err = os.Unsetenv(name)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// refuseSecretFlags returns an error if a password or key is on the command line, where every
// user of the machine can read it.
func refuseSecretFlags(command *kong.Context) error {
	for _, part := range command.Path {
		if part.Flag == nil || part.Resolved {
			continue
		}
		if part.Flag.Name == "secret-keys" {
			return errors.New("--secret-keys shows its keys to every user of this machine: set SECRET_KEYS in the environment or the file .env instead")
		}
		if part.Flag.Name != "database-url" && part.Flag.Name != "smtp-url" {
			continue
		}
		if hasPassword(command.FlagValue(part.Flag).(string)) {
			return fmt.Errorf("--%s shows its password to every user of this machine: set %s in the environment or the file .env instead", part.Flag.Name, part.Flag.Envs[0])
		}
	}
	return nil
}

// hasPassword reports whether a URL has a password.
func hasPassword(address string) bool {
	_, rest, _ := strings.Cut(address, "://")
	at := strings.LastIndexByte(rest, '@')
	return at >= 0 && strings.Contains(rest[:at], ":") || strings.Contains(address, "password=")
}

// decodeDuration reads a duration such as 90m or 30d.
func decodeDuration(ctx *kong.DecodeContext, target reflect.Value) error {
	var typed string
	if err := ctx.Scan.PopValueInto("duration", &typed); err != nil {
		return err
	}
	d, err := text.ParseDuration(typed)
	if err != nil {
		return err
	}
	target.SetInt(int64(d))
	return nil
}
