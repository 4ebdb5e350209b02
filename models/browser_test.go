package models_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestRememberBrowser(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		anna, ben := newUser(t, db, "anna.smith"), newUser(t, db, "benjamin")
		emptyQueue(t, db)
		notice := models.MailDetail{Browser: "Firefox on Linux", IP: "192.0.2.1", When: time.Now().UTC().Truncate(time.Second)}
		remember := func(u *models.User, mark string, quietly bool, told bool) string {
			t.Helper()
			emptyQueue(t, db)
			got, err := db.RememberBrowser(t.Context(), u, mark, notice, quietly)
			if err != nil {
				t.Fatal(err)
			}
			mails := queue(t, db)
			if len(mails) > 0 != told {
				t.Fatalf("queued are %+v", mails)
			}
			notice := notice
			notice.Username = u.Username
			if told && (mails[0].Kind != models.MailNewBrowser || mails[0].Recipient != u.Email || mails[0].Detail != notice) {
				t.Errorf("queued is %+v, want the notice %+v", mails[0], notice)
			}
			return got
		}
		verify(t, db, anna)
		verify(t, db, ben)
		first := remember(anna, "", false, true)
		phone := remember(anna, first, false, false)
		if phone == first {
			t.Error("whoever copied the mark keeps it")
		}
		laptop := remember(anna, "", true, false)
		remember(anna, laptop, false, false)
		phone = remember(ben, phone, false, true)
		phone = remember(ben, phone, false, false)
		phone = remember(anna, phone, false, false) // Ben's sign-ins have not made it new
		for _, forged := range []string{"text", phone[1:], phone + "\n", strings.Repeat("A", 42) + "B", "\x00"} {
			if got := remember(anna, forged, false, true); got == forged || len(got) != 43 || got == phone {
				t.Errorf("the mark %q becomes %q", forged, got)
			}
		}

		var browsers []models.Browser
		if err := db.Bun().NewSelect().Model(&browsers).Scan(t.Context()); err != nil {
			t.Fatal(err)
		}
		bits, err := base64.RawURLEncoding.DecodeString(phone)
		if err != nil {
			t.Fatal(err)
		}
		hash, known := sha256.Sum256(bits), 0
		for _, b := range browsers {
			if bytes.Equal(b.TokenHash, hash[:]) {
				known++
			}
		}
		if len(browsers) != 8 || known != 2 {
			t.Errorf("%d browsers are stored, %d by the hash of the phone's mark; want 8 and 2", len(browsers), known)
		}
	})
}

// Anna's oldest browser is Ben's newest. Those in between are purged too.
func TestPurgeOfASharedBrowser(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		anna, ben := newUser(t, db, "anna.smith"), newUser(t, db, "benjamin")
		const old = 2500 // more than two batches
		seen := time.Now().UTC().Add(-models.BrowserLife)
		rows := make([]models.Browser, old)
		for i := range rows {
			rows[i] = models.Browser{UserID: anna.ID, TokenHash: fmt.Append(nil, i), SeenAt: seen.Add(-time.Duration(old-i) * time.Second)}
		}
		rows = append(rows, models.Browser{UserID: ben.ID, TokenHash: rows[0].TokenHash, SeenAt: seen})
		for batch := range slices.Chunk(rows, 500) {
			if _, err := db.Bun().NewInsert().Model(&batch).Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := db.Purge(t.Context(), time.Hour); err != nil || n != len(rows) {
			t.Errorf("%d browsers are purged (%v), want %d", n, err, len(rows))
		}
	})
}
