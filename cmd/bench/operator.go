//go:build linux || darwin || freebsd

package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"vestibule/models"
)

// operatorCases are the pages of an operator, who is user 1. One after the other opens them,
// so the times are those of a page alone.
func (b *bench) operatorCases() []sharedCase {
	open := func(path func(person int64, s *site) string) func([]int64, ...*site) order {
		return func(people []int64, sites ...*site) order {
			o := order{Method: http.MethodGet, URL: sites[0].url, Workers: 1, Want: []int{http.StatusOK}}
			for i, n := range people {
				s := sites[i%len(sites)]
				header := cookie(1)
				header.Set("Accept-Encoding", encodings)
				o.Targets = append(o.Targets, vegeta.Target{Method: o.Method, URL: s.url + path(n, s), Header: header})
			}
			return o
		}
	}
	return []sharedCase{
		{"operator's overview", open(func(int64, *site) string { return "/admin" }), b.turns, b.turn, true},
		{"operator's list of people", open(func(int64, *site) string { return "/admin/people" }), b.turns, b.turn, true},
		{"operator's search for a person", open(func(n int64, _ *site) string { return "/admin/people?q=" + url.QueryEscape(login(n)+"@example.com") }), b.turns, b.turn, true},
		{"operator's page of a person", open(func(n int64, s *site) string { return "/admin/people/" + s.people[n].String() }), b.turns, b.turn, true},
	}
}

// prepareOperator makes user 1 an operator who has just proved who they are in session 1, and
// returns the ids of people.
func prepareOperator(ctx context.Context, databaseURL string, people []int64) (ids map[int64]uuid.UUID, err error) {
	db, err := models.Open(ctx, databaseURL, 2)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	operator, err := db.UserByLogin(ctx, login(1))
	if err != nil {
		return nil, err
	}
	if err := db.SetOperator(ctx, operator, models.OperatorAdmin); err != nil {
		return nil, err
	}
	bits := tokenBits(1)
	hash := sha256.Sum256(bits[:])
	if _, err := db.Bun().NewUpdate().Model((*models.Session)(nil)).Set("authenticated_at = ?", time.Now().UTC()).Where("token_hash = ?", hash[:]).Exec(ctx); err != nil {
		return nil, err
	}
	ids = map[int64]uuid.UUID{}
	for _, n := range people {
		user, err := db.UserByLogin(ctx, login(n))
		if err != nil {
			return nil, err
		}
		ids[n] = user.ID
	}
	return ids, nil
}
