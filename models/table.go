package models

import (
	"context"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"
)

// Table is a table of the database as operators see it.
type Table struct {
	Name    string
	Columns []Column

	model reflect.Type
	keys  []string // the columns of the primary key
	keyed bool     // by an id that is shown, so rows can be read from any row on
}

// Column is a column of a Table.
type Column struct {
	Name       string
	Hidden     bool   // nobody sees it: it isn't even read
	References string // the table that its values are keys of; empty if none

	field  *schema.Field
	listed bool // NewTable was told what to do with it
}

// schemas are the models as Bun knows them. Their names are the same for PostgreSQL.
var schemas = sqlitedialect.New().Tables()

// NewTable returns the table of a model, which is a nil pointer. Shown and hidden name its
// columns, separated by spaces. Hide what signs somebody in, proves something or is private:
// tokens, hashes, keys, texts. A column in neither is hidden, and a test fails. NewTable
// panics if the model has no such column.
func NewTable(model any, shown, hidden string) Table {
	s := schemas.Get(reflect.TypeOf(model))
	t := Table{Name: s.Name, model: s.Type}
	show, hide := strings.Fields(shown), strings.Fields(hidden)
	for _, f := range s.Fields {
		c := Column{Name: f.Name, field: f, Hidden: !slices.Contains(show, f.Name), References: references(s, f)}
		c.listed = !c.Hidden || slices.Contains(hide, f.Name)
		t.Columns = append(t.Columns, c)
	}
	for i, name := range append(show, hide...) {
		c, ok := t.Column(name)
		if !ok || c.Hidden != (i >= len(show)) {
			panic(fmt.Sprintf("the table %s has no column %s, or it is shown and hidden", t.Name, name))
		}
	}
	for _, key := range s.PKs {
		t.keys = append(t.keys, key.Name)
	}
	id, ok := t.Column("id")
	t.keyed = ok && len(t.keys) == 1 && id.field.IsPK && !id.Hidden && id.field.IndirectType == reflect.TypeFor[uuid.UUID]()
	return t
}

// references returns the table that f refers to: by a relation of the model, or else by its
// name, as user_id does to users.
func references(s *schema.Table, f *schema.Field) string {
	for _, r := range s.Relations {
		if r.Type == schema.BelongsToRelation && len(r.BasePKs) == 1 && r.BasePKs[0].Name == f.Name && r.JoinPKs[0].Name == "id" {
			return r.JoinTable.Name
		}
	}
	one, ok := strings.CutSuffix(f.Name, "_id")
	switch {
	case !ok || f.IndirectType != reflect.TypeFor[uuid.UUID]():
		return ""
	case strings.HasSuffix(one, "y"):
		return strings.TrimSuffix(one, "y") + "ies"
	}
	return one + "s"
}

// Column returns the column of that name.
func (t Table) Column(name string) (Column, bool) {
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return Column{}, false
	}
	return t.Columns[i], true
}

// Shown returns the columns that are not hidden.
func (t Table) Shown() (shown []Column) {
	return slices.DeleteFunc(slices.Clone(t.Columns), func(c Column) bool { return c.Hidden })
}

// Unlisted returns the columns about which NewTable was told nothing.
func (t Table) Unlisted() (names []string) {
	for _, c := range t.Columns {
		if !c.listed {
			names = append(names, c.Name)
		}
	}
	return names
}

// Keyed reports whether the rows have an id. In its order, TableQuery.After reads on from any
// row; in another order, TableQuery.Skip skips up to MaxSkip.
func (t Table) Keyed() bool { return t.keyed }

// Comparable reports whether rows can be filtered by values of the column.
func (c Column) Comparable() bool {
	if c.Hidden {
		return false
	}
	switch c.field.IndirectType {
	case reflect.TypeFor[uuid.UUID](), reflect.TypeFor[time.Time]():
		return true
	}
	switch c.field.IndirectType.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint32:
		return true
	}
	return false
}

// parse returns the values from and below which a row matches what was typed. Below is nil if
// it's equal to from. Want says what to type instead if it's no such value.
func (c Column) parse(typed string) (from, below any, want string) {
	switch c.field.IndirectType {
	case reflect.TypeFor[uuid.UUID]():
		if id, err := uuid.Parse(typed); err == nil {
			return id, nil, ""
		}
		return nil, nil, "an ID"
	case reflect.TypeFor[time.Time]():
		if day, err := time.Parse(time.DateOnly, typed); err == nil {
			return day, day.AddDate(0, 0, 1), ""
		}
		if t, err := time.Parse(time.RFC3339Nano, typed); err == nil {
			return t.UTC(), nil, ""
		}
		return nil, nil, "a day, such as 2026-11-30"
	}
	switch c.field.IndirectType.Kind() {
	case reflect.String:
		return typed, nil, ""
	case reflect.Bool:
		switch typed {
		case "yes", "true":
			return true, nil, ""
		case "no", "false":
			return false, nil, ""
		}
		return nil, nil, "yes or no"
	}
	if n, err := strconv.ParseInt(typed, 10, 64); err == nil {
		return n, nil, ""
	}
	return nil, nil, "a whole number"
}

// ValueError means that a column has no values like the one that was typed.
type ValueError struct {
	Column string
	Want   string // what to type, such as "an ID"
}

func (e *ValueError) Error() string { return e.Column + " takes " + e.Want }

// MaxSkip is how many rows TableQuery.Skip can be at most.
const MaxSkip = 1000

// TableQuery selects rows of a table. Its columns must be shown.
type TableQuery struct {
	Sort   string // empty for the order of the primary key
	Down   bool
	Filter string    // a column; empty for all rows
	Value  string    // of Filter, as typed
	After  uuid.UUID // the id of the row before; zero at the beginning
	Skip   int
	Limit  int
}

// TableRow is a row of a table.
type TableRow struct {
	ID     uuid.UUID // zero if the table has none
	Values []any     // of the columns shown; nil for NULL
}

// TableRows reads rows of a table. It returns a *ValueError if the filter's value is none.
func (db *DB) TableRows(ctx context.Context, t Table, q TableQuery) ([]TableRow, error) {
	rows := reflect.New(reflect.SliceOf(t.model))
	shown := t.Shown()
	query := db.bun.NewSelect().Model(rows.Interface())
	for _, c := range shown {
		query = query.Column(c.Name)
	}
	if c, ok := t.Column(q.Filter); ok && c.Comparable() {
		from, below, want := c.parse(q.Value)
		switch name := bun.Ident(c.Name); {
		case want != "":
			return nil, &ValueError{c.Name, want}
		case below == nil:
			query = query.Where("?TableAlias.? = ?", name, from)
		default:
			query = query.Where("?TableAlias.? >= ?", name, from).Where("?TableAlias.? < ?", name, below)
		}
	}
	direction, after := bun.Safe("ASC"), bun.Safe(">")
	if q.Down {
		direction, after = "DESC", "<"
	}
	if c, ok := t.Column(q.Sort); ok && !c.Hidden {
		nulls := bun.Safe("")
		if c.field.NullZero {
			nulls = " NULLS LAST" // in both databases
		}
		query = query.OrderExpr("?TableAlias.? ??", bun.Ident(c.Name), direction, nulls)
	}
	for _, key := range t.keys {
		if key != q.Sort {
			query = query.OrderExpr("?TableAlias.? ?", bun.Ident(key), direction)
		}
	}
	if q.After != uuid.Nil {
		query = query.Where("?TableAlias.id ? ?", after, q.After)
	}
	if err := query.Offset(int64(min(q.Skip, MaxSkip))).Limit(int64(q.Limit)).Scan(ctx); err != nil {
		return nil, err
	}
	found := make([]TableRow, rows.Elem().Len())
	for i := range found {
		for _, c := range shown {
			value := valueOf(c.field, rows.Elem().Index(i))
			if id, ok := value.(uuid.UUID); ok && c.Name == "id" {
				found[i].ID = id
			}
			found[i].Values = append(found[i].Values, value)
		}
	}
	return found, nil
}

// valueOf returns what a page shows of a field: nil, a time, an ID, a bool, or else text or
// what JSON can write.
func valueOf(f *schema.Field, row reflect.Value) any {
	v := f.Value(row)
	if f.IsPtr {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	if f.NullZero && v.IsZero() {
		return nil
	}
	switch {
	case v.Kind() == reflect.String:
		return v.String()
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		return hex.EncodeToString(v.Bytes())
	}
	return v.Interface()
}
