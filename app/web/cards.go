package web

import (
	"context"
	"slices"

	"vestibule/models"
)

// Card is a number of a feature on the operators' overview.
type Card struct {
	Title string
	Path  string // where it leads
	Count func(db *models.DB, ctx context.Context) (int64, error)
}

// AddCard adds a number to the operators' overview, which leads to path. Count is a method of
// [models.DB]. It's stopped like a search that takes too long, so let it count no more than
// [models.MaxCount]. AddCard panics if there is a card of that title already.
func (k *Kit) AddCard(title, path string, count func(db *models.DB, ctx context.Context) (int64, error)) {
	if slices.ContainsFunc(k.cards, func(c Card) bool { return c.Title == title }) {
		panic("two features have the card " + title)
	}
	k.cards = append(k.cards, Card{title, path, count})
}

// Cards returns the cards of the features.
func (k *Kit) Cards() []Card { return k.cards }
