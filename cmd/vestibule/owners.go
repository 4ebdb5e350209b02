package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"vestibule/models"
)

// handOver makes the user of login an owner of the organizations that user alone owns,
// and records it. It does nothing if login is empty.
func handOver(ctx context.Context, tx *models.DB, user *models.User, login string) ([]models.Organization, error) {
	if login == "" {
		return nil, nil
	}
	newOwner, err := findUser(ctx, tx, login)
	if err != nil {
		return nil, err
	}
	handed, err := tx.HandOver(ctx, user, newOwner)
	if stranger := new(models.NoMemberError); errors.As(err, &stranger) {
		return nil, fmt.Errorf("%s: nothing was done", plain(stranger.Error()))
	}
	if err != nil {
		return nil, err
	}
	return handed, recordIn(ctx, tx, models.EventOwnershipTransferred, newOwner, handed)
}

// deleteOwned deletes the organizations that user alone owns, and records it.
func deleteOwned(ctx context.Context, tx *models.DB, user *models.User) ([]models.Organization, error) {
	deleted, err := tx.DeleteOwned(ctx, user)
	if err != nil {
		return nil, err
	}
	return deleted, recordIn(ctx, tx, models.EventOrganizationDeleted, user, deleted)
}

// recordIn adds an operator's event to the audit log of each organization.
func recordIn(ctx context.Context, tx *models.DB, kind string, user *models.User, organizations []models.Organization) error {
	for _, o := range organizations {
		if err := tx.Record(ctx, models.Event{Kind: kind, UserID: user.ID, OrganizationID: o.ID, Detail: models.EventDetail{Organization: o.Name, Operator: operatorName(ctx)}}); err != nil {
			return err
		}
	}
	return nil
}

// organizationList returns names and slugs, separated by commas.
func organizationList(organizations []models.Organization) string {
	names := make([]string, len(organizations))
	for i, o := range organizations {
		names[i] = plain(fmt.Sprintf("%s (%s)", o.Name, o.Slug))
	}
	return strings.Join(names, ", ")
}

// printEach prints what was done with each organization.
func printEach(done string, organizations []models.Organization) {
	for _, o := range organizations {
		fmt.Println(done, organizationList([]models.Organization{o}))
	}
}
