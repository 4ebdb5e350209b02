package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"vestibule/app"
	"vestibule/app/auth"
	"vestibule/app/secrets"
	"vestibule/models"
)

type secretKeys struct {
	New    secretsNew    `cmd:"" help:"Print a new key for SECRET_KEYS."`
	Rotate secretsRotate `cmd:"" help:"Encrypt every secret again by the first key of SECRET_KEYS."`
}

type (
	secretsNew    struct{}
	secretsRotate struct{}
)

// Help returns the details that --help prints below the summary.
func (secretsNew) Help() string {
	return "Put it first in SECRET_KEYS, before the keys that are there, and restart every process. Then run secrets rotate, and remove the old keys. Keep the keys apart from the backups."
}

// Help returns the details that --help prints below the summary.
func (secretsRotate) Help() string {
	return "The site can run meanwhile, if all its processes have the new key. Run it again if it stops early."
}

func (secretsNew) Run() error {
	fmt.Println(secrets.NewKey(time.Now().UTC().Format("2006-01-02")))
	return nil
}

func (secretsRotate) Run(ctx context.Context, config *app.Config) error {
	if err := readSecretKeys(config); err != nil {
		return err
	}
	return onDatabase(ctx, config, func(db *models.DB) error {
		keys, err := secrets.Parse(config.SecretKeys)
		if err != nil {
			return err
		}
		if keys.First() == "" {
			return errors.New("SECRET_KEYS is not set: run secrets new to make a key")
		}
		n, err := db.ResealSecrets(ctx, keys.First(), func(a *models.Authenticator) error {
			old := a.KeyID
			secret, err := keys.Open(a.Secret, old, auth.AuthenticatorContext(a))
			if err == nil {
				a.Secret, a.KeyID, err = keys.Seal(secret, auth.AuthenticatorContext(a))
			}
			if err != nil {
				return fmt.Errorf("a secret that the key %s encrypts: %w", plain(old), err)
			}
			return nil
		})
		fmt.Printf("Encrypted %d secrets by the key %s\n", n, keys.First())
		return err
	})
}

// secretKeysFile holds the key of a site in development.
const secretKeysFile = "data/secret-keys"

// readSecretKeys takes SECRET_KEYS in development from a file that only its owner can
// read, which it writes if it is missing. In production the setting is the only source.
func readSecretKeys(config *app.Config) error {
	if config.SecretKeys != "" || config.Production() {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(secretKeysFile), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(secretKeysFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		_, err = fmt.Fprintln(file, secrets.NewKey("development"))
		err = errors.Join(err, file.Close())
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	text, err := os.ReadFile(secretKeysFile)
	config.SecretKeys = strings.TrimSpace(string(text))
	return err
}
