package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"

	"vestibule/app"
	"vestibule/app/text"
	"vestibule/models"
)

type organizations struct {
	List     organizationsList     `cmd:"" help:"List organizations in the order they were created."`
	Show     organizationsShow     `cmd:"" help:"Show one organization and its members."`
	Transfer organizationsTransfer `cmd:"" help:"Make a member an owner of an organization."`
	Delete   organizationsDelete   `cmd:"" help:"Permanently delete an organization and everything in it."`
}

type (
	organizationsList struct {
		JSON   bool   `name:"json" help:"Print a JSON array."`
		Limit  uint   `placeholder:"N" help:"Print at most N organizations (default: all)."`
		Search string `placeholder:"TEXT" help:"Only organizations whose name or address contains TEXT, ignoring case."`
	}
	organizationsShow struct {
		organization
		JSON    bool `name:"json" help:"Print a JSON object."`
		Members uint `placeholder:"N" default:"50" help:"Show at most N members; 0 shows all (default: ${default})."`
	}
	organizationsTransfer struct {
		organization
		Login string `arg:"" help:"Username or email address of the member, ignoring case."`
		From  string `placeholder:"LOGIN" help:"Make this owner an admin. Without it, the owners stay."`
	}
	organizationsDelete struct {
		organization
		Yes bool `help:"Don't ask for confirmation."`
	}
)

// organization is the argument that names an organization.
type organization struct {
	Address string `arg:"" help:"Address of the organization, as in /o/ADDRESS."`
}

// Help returns the details that --help prints below the summary.
func (organizationsDelete) Help() string {
	return "On a terminal, you're asked to type the organization's address. Otherwise --yes is required."
}

// onOrganization runs f on the organization.
func (c organization) onOrganization(ctx context.Context, config *app.Config, f func(db *models.DB, o *models.Organization) error) error {
	return onDatabase(ctx, config, func(db *models.DB) error {
		o, err := db.OrganizationBySlug(ctx, text.Line(c.Address))
		if errors.Is(err, models.ErrNotFound) {
			return fmt.Errorf("no organization %s", plain(c.Address))
		}
		if err != nil {
			return err
		}
		err = f(db, o)
		if errors.Is(err, models.ErrNotFound) {
			return fmt.Errorf("%s was deleted in the meantime: nothing was done", organizationList([]models.Organization{*o}))
		}
		return err
	})
}

func (c organizationsList) Run(ctx context.Context, config *app.Config) error {
	return onDatabase(ctx, config, func(db *models.DB) error {
		list := newList(c.JSON, "ADDRESS", "NAME", "MEMBERS", "SECOND FACTOR (UTC)", "CREATED (UTC)", "ID")
		for o, err := range db.AllOrganizations(ctx, c.Search) {
			if err != nil {
				return err
			}
			row, err := newOrganizationRow(ctx, db, o)
			if err != nil {
				return err
			}
			err = list.add(row, o.Slug, o.Name, fmt.Sprint(row.Members), formatTime(o.SecondFactorFrom), formatTime(o.CreatedAt), o.ID.String())
			if err != nil {
				return err
			}
			if list.rows == c.Limit {
				break
			}
		}
		return list.end()
	})
}

func (c organizationsShow) Run(ctx context.Context, config *app.Config) error {
	return c.onOrganization(ctx, config, func(db *models.DB, o *models.Organization) error {
		row, err := newOrganizationRow(ctx, db, o)
		if err != nil {
			return err
		}
		members, err := readMembers(ctx, db, o, c.Members)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(os.Stdout, struct {
				organizationRow
				List []memberRow `json:"member_list"`
			}{row, members})
		}
		table := newTable(os.Stdout)
		printCells(table, "Address", o.Slug)
		printCells(table, "Name", o.Name)
		printCells(table, "Created (UTC)", formatTime(o.CreatedAt))
		printCells(table, "Second factor (UTC)", formatTime(o.SecondFactorFrom))
		printCells(table, "Members", fmt.Sprint(row.Members))
		printCells(table, "ID", o.ID.String())
		for _, m := range members {
			printCells(table, m.Role, fmt.Sprintf("%s (%s) since %s UTC", m.login, m.Name, formatTime(m.JoinedAt)))
		}
		return table.Flush()
	})
}

// readMembers returns up to limit members, or all for 0, first joined first.
func readMembers(ctx context.Context, db *models.DB, o *models.Organization, limit uint) ([]memberRow, error) {
	roles, err := db.Roles(ctx, o.ID)
	if err != nil {
		return nil, err
	}
	names := map[uuid.UUID]string{}
	for _, r := range roles {
		names[r.ID] = r.Name
	}
	rows, search := []memberRow{}, models.MemberSearch{Limit: 200}
	for {
		members, err := db.Members(ctx, o.ID, search)
		if err != nil {
			return nil, err
		}
		for _, m := range members {
			rows = append(rows, memberRow{m.UserID, m.User.Username, m.User.FullName(), names[m.RoleID], m.CreatedAt.UTC(), m.User.Login()})
			if uint(len(rows)) == limit {
				return rows, nil
			}
		}
		if int64(len(members)) < search.Limit {
			return rows, nil
		}
		search.After = members[len(members)-1].ID
	}
}

func (c organizationsTransfer) Run(ctx context.Context, config *app.Config) error {
	return c.onOrganization(ctx, config, func(db *models.DB, o *models.Organization) error {
		user, err := findUser(ctx, db, c.Login)
		if err != nil {
			return err
		}
		var former *models.User
		if c.From != "" {
			if former, err = findUser(ctx, db, c.From); err != nil {
				return err
			}
			if former.ID == user.ID {
				return errors.New("--from must be another owner than the new one")
			}
		}
		err = db.InTx(ctx, func(tx *models.DB) error {
			if err := tx.MakeOwner(ctx, o, user, former); err != nil {
				return err
			}
			return recordIn(ctx, tx, models.EventOwnershipTransferred, user, []models.Organization{*o})
		})
		shown := organizationList([]models.Organization{*o})
		if stranger := new(models.NoMemberError); errors.As(err, &stranger) {
			return fmt.Errorf("%s: nothing was done", plain(stranger.Error()))
		}
		if errors.Is(err, models.ErrNotAllowed) {
			return fmt.Errorf("%s is no owner of %s: nothing was done", plain(former.Login()), shown)
		}
		if err != nil {
			return err
		}
		fmt.Printf("Made %s an owner of %s\n", plain(user.Login()), shown)
		return nil
	})
}

func (c organizationsDelete) Run(ctx context.Context, config *app.Config) error {
	return c.onOrganization(ctx, config, func(db *models.DB, o *models.Organization) error {
		shown := organizationList([]models.Organization{*o})
		if !c.Yes {
			if err := c.confirm(ctx, db, o); err != nil {
				return err
			}
		}
		err := db.InTx(ctx, func(tx *models.DB) error {
			if err := tx.RemoveOrganization(ctx, o); err != nil {
				return err
			}
			return recordIn(ctx, tx, models.EventOrganizationDeleted, &models.User{}, []models.Organization{*o})
		})
		if err != nil {
			return err
		}
		fmt.Println("Deleted", shown)
		return nil
	})
}

// confirm asks the operator to type the address, and returns an error if they don't.
func (c organizationsDelete) confirm(ctx context.Context, db *models.DB, o *models.Organization) error {
	if !onTerminal() {
		return errors.New("deleting an organization can't be undone: run it on a terminal to confirm, or pass --yes")
	}
	members, err := db.CountMembers(ctx, o.ID)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "Type %s to permanently delete this organization for all its members (%d): ", plain(o.Slug), members)
	typed, err := readLine(ctx, bufio.NewReader(os.Stdin))
	if err != nil {
		return err
	}
	if text.Line(typed) != o.Slug {
		return errors.New("the address doesn't match: nothing was deleted")
	}
	return nil
}

// organizationRow is an organization as printed.
type organizationRow struct {
	ID               uuid.UUID `json:"id"`
	Slug             string    `json:"address"`
	Name             string    `json:"name"`
	Members          int64     `json:"members"`
	SecondFactorFrom time.Time `json:"second_factor_from,omitzero"`
	CreatedAt        time.Time `json:"created_at"`
}

func newOrganizationRow(ctx context.Context, db *models.DB, o *models.Organization) (organizationRow, error) {
	members, err := db.CountMembers(ctx, o.ID)
	row := organizationRow{ID: o.ID, Slug: o.Slug, Name: o.Name, Members: members, CreatedAt: o.CreatedAt.UTC()}
	if !o.SecondFactorFrom.IsZero() {
		row.SecondFactorFrom = o.SecondFactorFrom.UTC()
	}
	return row, err
}

// memberRow is a member as printed.
type memberRow struct {
	UserID   uuid.UUID `json:"user_id"`
	Username string    `json:"username"`
	Name     string    `json:"name"`
	Role     string    `json:"role"`
	JoinedAt time.Time `json:"joined_at"`

	login string // of the user
}
