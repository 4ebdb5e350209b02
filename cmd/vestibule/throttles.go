package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"vestibule/app"
	"vestibule/models"
)

type throttles struct {
	List  throttlesList  `cmd:"" help:"List the waits that too many attempts cause, longest first."`
	Clear throttlesClear `cmd:"" help:"Clear the waits of everybody at an IP address."`
}

type throttlesList struct {
	Whose string `arg:"" optional:"" help:"Only waits of this IP address, or of the user with this username or email address."`
	JSON  bool   `name:"json" help:"Print a JSON array."`
	Limit int64  `placeholder:"N" default:"50" help:"Print at most N waits (default: ${default})."`
}

// Help returns the details that --help prints below the summary.
func (throttlesList) Help() string {
	return "The database holds only hashes of addresses and users. The column SUBJECT tells which waits are of the same one; pass an address or a user to see theirs."
}

func (c throttlesList) Run(ctx context.Context, config *app.Config) error {
	return onDatabase(ctx, config, func(db *models.DB) error {
		search := models.WaitSearch{Limit: c.Limit}
		if _, err := netip.ParseAddr(c.Whose); err == nil {
			search.Address = c.Whose
		} else if c.Whose != "" {
			if search.User, err = findUser(ctx, db, c.Whose); err != nil {
				return err
			}
		}
		waits, err := db.Waits(ctx, search)
		if err != nil {
			return err
		}
		list := newList(c.JSON, "LIMIT", "ATTEMPTS", "WAIT UNTIL (UTC)", "SUBJECT")
		for i, row := range newThrottleRows(waits) {
			row.Subject = waits[i].Subject[:min(8, len(waits[i].Subject))]
			if err := list.add(row, row.Limit, fmt.Sprint(row.Attempts), formatTime(row.Until), row.Subject); err != nil {
				return err
			}
		}
		return list.end()
	})
}

type throttlesClear struct {
	Address string `arg:"" help:"IP address. An IPv6 address stands for its /64."`
}

func (c throttlesClear) Run(ctx context.Context, config *app.Config) error {
	if _, err := netip.ParseAddr(c.Address); err != nil {
		return errors.New("that isn't an IP address, such as 203.0.113.5")
	}
	return onDatabase(ctx, config, func(db *models.DB) error {
		var n int
		err := audited(ctx, db, models.EventUnlocked, func(tx *models.DB) (_ uuid.UUID, err error) {
			n, err = tx.LiftAddressThrottles(ctx, c.Address)
			return uuid.Nil, err
		})
		if err != nil {
			return err
		}
		subject := models.ThrottleSubject(c.Address)
		if n == 0 {
			fmt.Printf("No attempts from %s were counted\n", subject)
			return nil
		}
		fmt.Printf("Forgot the attempts from %s\n", subject)
		return nil
	})
}

// throttleRow is a throttle that makes a user wait, as printed.
type throttleRow struct {
	Limit    string    `json:"limit"`
	Attempts int64     `json:"attempts"`
	Until    time.Time `json:"until"`
	Subject  string    `json:"subject,omitempty"` // the beginning of its hash
}

func newThrottleRows(waits []models.Throttle) []throttleRow {
	rows := make([]throttleRow, len(waits))
	for i, w := range waits {
		rows[i] = throttleRow{Limit: w.Kind, Attempts: w.Tries, Until: w.Until.UTC()}
	}
	return rows
}
