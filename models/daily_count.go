package models

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"
)

// DailyCount is what happened on a day. CountDays writes it in the background, so that a page
// which shows many days costs the same however much happens.
type DailyCount struct {
	bun.BaseModel `bun:"table:daily_counts,alias:dc"`

	Day       string `bun:",pk"` // in UTC, as time.DateOnly
	SignUps   int64
	SignIns   int64
	Refused   int64 // wrong passwords and codes, and attempts that came too early
	Active    int64 // people who were seen; for a day before the first count, those seen last
	Sessions  int64 // at CountedAt
	Throttles int64 // that made somebody wait at CountedAt
	CountedAt time.Time
}

// CountedDays is how many days are counted at the first time, and shown at most.
const CountedDays = 90

// countEvery is how long the count of a day is good enough. One process of several counts.
const countEvery = 9 * time.Minute

// CountDays counts today, and each of the last days that was not counted after its end.
func (db *DB) CountDays(ctx context.Context) error {
	t := now()
	today := t.Truncate(24 * time.Hour)
	counted := map[string]DailyCount{}
	all, err := db.DailyCounts(ctx, CountedDays)
	if err != nil {
		return err
	}
	for _, c := range all {
		counted[c.Day] = c
	}
	var first time.Time
	if len(all) < CountedDays {
		if first, err = db.firstDay(ctx, today); err != nil {
			return err
		}
	}
	var quiet []DailyCount
	for day := today.AddDate(0, 0, 1-CountedDays); !day.After(today); day = day.AddDate(0, 0, 1) {
		before, ok := counted[day.Format(time.DateOnly)]
		done := before.CountedAt.After(day.AddDate(0, 0, 1)) || t.Sub(before.CountedAt) < countEvery
		switch {
		case ok && done:
		case day.Before(first):
			quiet = append(quiet, DailyCount{Day: day.Format(time.DateOnly), CountedAt: t})
		default:
			if err := db.countDay(ctx, day, before); err != nil {
				return err
			}
		}
	}
	if len(quiet) > 0 {
		_, err = db.bun.NewInsert().Model(&quiet).On("CONFLICT DO NOTHING").Returning("NULL").Exec(ctx)
	}
	return err
}

// firstDay returns the first day on which there may be something to count, today if there is
// none. A new site has not been there for most of the days, so they cost nothing.
func (db *DB) firstDay(ctx context.Context, today time.Time) (time.Time, error) {
	first := today
	for column, model := range map[string]any{"created_at": (*Event)(nil), "last_seen_at": (*Session)(nil)} {
		var oldest bun.NullTime
		if err := db.bun.NewSelect().Model(model).ColumnExpr("min(?)", bun.Ident(column)).Scan(ctx, &oldest); err != nil {
			return first, err
		}
		if !oldest.IsZero() && oldest.Before(first) {
			first = oldest.UTC().Truncate(24 * time.Hour)
		}
	}
	return first, nil
}

// countDay counts a day that was counted before, or with a zero before.
func (db *DB) countDay(ctx context.Context, day time.Time, before DailyCount) error {
	end := day.AddDate(0, 0, 1)
	c := &DailyCount{Day: day.Format(time.DateOnly), Sessions: before.Sessions, Throttles: before.Throttles, CountedAt: now()}
	var kinds []struct {
		Kind string
		N    int64
	}
	err := db.bun.NewSelect().Model((*Event)(nil)).Column("kind").ColumnExpr("count(*) AS n").
		Where("e.created_at >= ?", day).Where("e.created_at < ?", end).Group("kind").Scan(ctx, &kinds)
	if err != nil {
		return err
	}
	for _, k := range kinds {
		switch {
		case k.Kind == EventSignUp, k.Kind == EventCreated:
			c.SignUps += k.N
		case k.Kind == EventSignIn:
			c.SignIns += k.N
		case slices.Contains(RefusedEvents(), k.Kind):
			c.Refused += k.N
		}
	}
	err = db.bun.NewSelect().Model((*Session)(nil)).ColumnExpr("count(DISTINCT user_id)").
		Where("s.last_seen_at >= ?", day).Where("s.last_seen_at < ?", end).Scan(ctx, &c.Active)
	if err != nil {
		return err
	}
	c.Active = max(c.Active, before.Active) // whoever was seen again since no longer counts for the day
	if end.After(c.CountedAt) {
		if c.Sessions, err = db.CountSessions(ctx); err != nil {
			return err
		}
		err = db.bun.NewSelect().Model((*Throttle)(nil)).ColumnExpr("count(*)").Where("th.until > ?", c.CountedAt).Scan(ctx, &c.Throttles)
		if err != nil {
			return err
		}
	}
	_, err = db.bun.NewInsert().Model(c).On("CONFLICT (day) DO UPDATE").
		Set("sign_ups = EXCLUDED.sign_ups").Set("sign_ins = EXCLUDED.sign_ins").Set("refused = EXCLUDED.refused").Set("active = EXCLUDED.active").
		Set("sessions = EXCLUDED.sessions").Set("throttles = EXCLUDED.throttles").Set("counted_at = EXCLUDED.counted_at").
		Returning("NULL").Exec(ctx)
	return err
}

// DailyCounts lists the last days that were counted, at most that many, the first first.
func (db *DB) DailyCounts(ctx context.Context, days int) ([]DailyCount, error) {
	var counts []DailyCount
	first := now().Truncate(24*time.Hour).AddDate(0, 0, 1-days).Format(time.DateOnly)
	err := db.bun.NewSelect().Model(&counts).Where("dc.day >= ?", first).Order("dc.day").Scan(ctx)
	return counts, err
}

// MaxCount is where counts for operators stop, such as those of CountMail.
const MaxCount = 10_000

// CountMail returns how much mail waits and how much was refused lately, each up to MaxCount.
func (db *DB) CountMail(ctx context.Context) (waiting, refused int64, err error) {
	if waiting, err = db.countUpToMax(ctx, db.bun.NewSelect().Model((*Mail)(nil))); err != nil {
		return 0, 0, err
	}
	refused, err = db.countUpToMax(ctx, db.bun.NewSelect().Model((*RefusedMail)(nil)))
	return waiting, refused, err
}

// countUpToMax counts the rows that query selects up to MaxCount, so it takes no longer
// however many there are.
func (db *DB) countUpToMax(ctx context.Context, query *bun.SelectQuery) (n int64, err error) {
	some := query.ColumnExpr("1").Limit(MaxCount)
	err = db.bun.NewSelect().TableExpr("(?) AS counted", some).ColumnExpr("count(*)").Scan(ctx, &n)
	return n, err
}

// Size returns the size of the database in bytes.
func (db *DB) Size(ctx context.Context) (n int64, err error) {
	query := "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
	if db.Postgres() {
		query = "SELECT pg_database_size(current_database())"
	}
	err = db.bun.NewRaw(query).Scan(ctx, &n)
	return n, err
}
