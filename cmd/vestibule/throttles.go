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
	Clear throttlesClear `cmd:"" help:"Clear the waits of everybody at an IP address."`
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
}

func newThrottleRows(waits []models.Throttle) []throttleRow {
	rows := make([]throttleRow, len(waits))
	for i, w := range waits {
		rows[i] = throttleRow{w.Kind, w.Tries, w.Until.UTC()}
	}
	return rows
}
