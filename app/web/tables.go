package web

import (
	"slices"

	"vestibule/models"
)

// AddTable adds tables to those that operators see. It panics if there is a table of that
// name already.
func (k *Kit) AddTable(tables ...models.Table) {
	for _, t := range tables {
		if _, taken := k.Table(t.Name); taken {
			panic("two features have the table " + t.Name)
		}
		k.tables = append(k.tables, t)
	}
}

// Tables returns the tables that operators see: the site's own, and then those of features.
func (k *Kit) Tables() []models.Table { return k.tables }

// Table returns the table of that name.
func (k *Kit) Table(name string) (models.Table, bool) {
	i := slices.IndexFunc(k.tables, func(t models.Table) bool { return t.Name == name })
	if i < 0 {
		return models.Table{}, false
	}
	return k.tables[i], true
}
