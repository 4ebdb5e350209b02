package models_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/google/uuid"

	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestCreateUser(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u := newUser(t, db, "Anna.Smith")
		got, err := db.UserByLogin(t.Context(), "anna.smith")
		if err != nil {
			t.Fatal(err)
		}
		if !same(got, u) {
			t.Errorf("read back is\n%+v, want\n%+v", got, u)
		}
		if _, offset := got.CreatedAt.Zone(); u.ID.Version() != 7 || u.CreatedAt.Location() != time.UTC || offset != 0 {
			t.Errorf("the id is %s, the time %v", u.ID, got.CreatedAt)
		}
	})
}

func TestNobodyHasAnAccountAtFirst(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		if n, err := db.Bun().NewSelect().Model((*models.User)(nil)).Count(t.Context()); n != 0 || err != nil {
			t.Errorf("a fresh database has %d users (%v)", n, err)
		}
	})
}

func TestUsersAreUnique(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ username, email, taken string }{
		"same username":              {"Anna.Smith", "else@example.com", "username"},
		"username in another case":   {"aNNA.sMITH", "else@example.com", "username"},
		"same e-mail":                {"someone", "Anna.Smith@example.com", "email"},
		"e-mail in another case":     {"someone", "ANNA.SMITH@EXAMPLE.COM", "email"},
		"neither":                    {"anna-smith", "anna-smith@example.com", ""},
		"one's e-mail as a username": {"Anna.Smith@example.com", "own@example.com", ""},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		newUser(t, db, "Anna.Smith")
		ben := newUser(t, db, "benjamin")
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				err := db.CreateUser(t.Context(), &models.User{Username: tt.username, Email: tt.email})
				if tt.taken == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				wantsTaken(t, err, tt.taken)
			})
		}
		ben.Username = "ANNA.SMITH"
		wantsTaken(t, db.UpdateProfile(t.Context(), ben), "username")
	})
}

func TestCreateUserAtOnce(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		const n = 50
		errs := make([]error, n)
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				errs[i] = db.CreateUser(t.Context(), &models.User{Username: "anna", Email: "anna@example.com"})
			})
		}
		all.Wait()
		made := 0
		for _, err := range errs {
			taken := new(models.TakenError)
			switch {
			case err == nil:
				made++
			case !errors.As(err, &taken):
				t.Errorf("the error is %v, want one of a taken value", err)
			}
		}
		if made != 1 {
			t.Errorf("%d of %d are stored, want 1", made, n)
		}
	})
}

func TestKey(t *testing.T) {
	t.Parallel()
	equal := [][2]string{
		{"Anna", "aNNA"}, {"straße", "STRASSE"}, {"ÉMILE", "émile"}, {"e\u0301mile", "\u00c9mile"}, {"ΣΊΣΥΦΟΣ", "σίσυφος"}, {"\ufb03", "FFI"},
		{"\u1e9e", "ss"}, {"Å", "\u212b"}, {"ᎠᏲ", "ꭰᏺ"},
	}
	for _, pair := range equal {
		if models.Key(pair[0]) != models.Key(pair[1]) {
			t.Errorf("%q and %q are two: %q, %q", pair[0], pair[1], models.Key(pair[0]), models.Key(pair[1]))
		}
	}
	differ := [][2]string{{"anna", "аnna"}, {"anna", "anna "}, {"emile", "émile"}, {"a.b", "a-b"}, {"", " "}}
	for _, pair := range differ {
		if models.Key(pair[0]) == models.Key(pair[1]) {
			t.Errorf("%q and %q are one", pair[0], pair[1])
		}
	}
}

// TestKeyOfEveryLetter folds all letters that have cases.
func TestKeyOfEveryLetter(t *testing.T) {
	t.Parallel()
	for letter := range rune(unicode.MaxRune) {
		other := unicode.SimpleFold(letter)
		if other == letter {
			continue
		}
		key := models.Key(string(letter))
		if models.Key(key) != key || models.Key(string(other)) != key {
			t.Errorf("the key of %c is %q, of that %q, and of %c %q", letter, key, models.Key(key), other, models.Key(string(other)))
		}
	}
}

func FuzzKey(f *testing.F) {
	for _, s := range []string{"", "Anna", "straße", "e\u0301", "İ", "\xff", "ΐ", "\u0345\u0301", "ᾲ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if key := models.Key(s); models.Key(key) != key {
			t.Errorf("the key of %q is %q, and the key of that %q", s, key, models.Key(key))
		}
	})
}

func TestUserByLogin(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u := newUser(t, db, "Anna.Smith")
		for _, login := range []string{"Anna.Smith", "anna.smith", "ANNA.SMITH@example.com"} {
			if got, err := db.UserByLogin(t.Context(), login); err != nil || got.ID != u.ID {
				t.Errorf("%q is %v (%v)", login, got, err)
			}
		}
		for _, login := range []string{"", "@", "anna", "anna%", "anna_smith", "anna.smith@example", "' OR 1=1 --", "anna.smith'"} {
			if got, err := db.UserByLogin(t.Context(), login); !errors.Is(err, models.ErrNotFound) {
				t.Errorf("%q is %v (%v), want ErrNotFound", login, got, err)
			}
		}
	})
}

func TestTaken(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		anna, ben := newUser(t, db, "anna.smith"), newUser(t, db, "benjamin")
		for name, tt := range map[string]struct {
			self            uuid.UUID
			username, email string
			want            []string
		}{
			"nothing":          {uuid.Nil, "", "", nil},
			"free":             {uuid.Nil, "carol", "carol@example.com", nil},
			"username":         {uuid.Nil, "ANNA.smith", "carol@example.com", []string{"username"}},
			"e-mail":           {uuid.Nil, "carol", "BENJAMIN@example.com", []string{"email"}},
			"both of one":      {uuid.Nil, anna.Username, anna.Email, []string{"email", "username"}},
			"those of two":     {uuid.Nil, ben.Username, anna.Email, []string{"email", "username"}},
			"one's own":        {anna.ID, anna.Username, anna.Email, nil},
			"own and another":  {anna.ID, anna.Username, ben.Email, []string{"email"}},
			"another's to own": {ben.ID, anna.Username, "", []string{"username"}},
		} {
			got, err := db.Taken(t.Context(), tt.self, tt.username, tt.email)
			slices.Sort(got)
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("%s: taken are %v (%v), want %v", name, got, err, tt.want)
			}
		}
	})
}

func TestUpdateProfile(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u := newUser(t, db, "anna.smith")
		change := *u
		change.Username, change.FirstName, change.LastName = "Annabel", "Anna", "Jones"
		change.Email, change.PasswordHash = "eve@example.com", "another"
		if err := db.UpdateProfile(t.Context(), &change); err != nil {
			t.Fatal(err)
		}
		got, err := db.UserByLogin(t.Context(), "annabel")
		if err != nil {
			t.Fatal(err)
		}
		if got.Email != u.Email || got.PasswordHash != u.PasswordHash || got.FullName() != "Anna Jones" || got.UpdatedAt.Before(u.UpdatedAt) {
			t.Errorf("stored is %+v", got)
		}
	})
}

func TestInTx(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		undo := errors.New("undo")
		var inside error
		err := db.InTx(t.Context(), func(tx *models.DB) error {
			u := &models.User{Username: "anna", Email: "anna@example.com"}
			if err := tx.CreateUser(t.Context(), u); err != nil {
				return err
			}
			_, inside = tx.UserByLogin(t.Context(), "anna")
			return undo
		})
		if !errors.Is(err, undo) || inside != nil {
			t.Errorf("the errors are %v and %v", err, inside)
		}
		if _, err := db.UserByLogin(t.Context(), "anna"); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("what was undone is there (%v)", err)
		}
	})
}

func TestEndedContext(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := db.CreateUser(ctx, &models.User{Username: "anna", Email: "anna@example.com"}); !errors.Is(err, context.Canceled) {
			t.Errorf("the error is %v, want context.Canceled", err)
		}
	})
}
