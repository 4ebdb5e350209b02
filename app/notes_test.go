package app_test

import (
	"maps"

	"github.com/google/uuid"

	"vestibule/app/apptest"
	"vestibule/app/web"
	"vestibule/models"
)

func init() {
	maps.Copy(rules, map[string]models.Permission{
		"GET /o/:slug/notes":             everyMember,
		"POST /o/:slug/notes":            models.WriteNotes,
		"POST /o/:slug/notes/check":      models.WriteNotes,
		"GET /o/:slug/notes/:id":         models.WriteNotes,
		"POST /o/:slug/notes/:id":        models.WriteNotes,
		"GET /o/:slug/notes/:id/row":     models.WriteNotes,
		"POST /o/:slug/notes/:id/check":  models.WriteNotes,
		"POST /o/:slug/notes/:id/delete": models.WriteNotes,
	})
	maps.Copy(openToOperators, map[string]web.Impersonated{
		"GET /o/:slug/notes":             web.Look,
		"POST /o/:slug/notes":            web.Change,
		"POST /o/:slug/notes/check":      web.Change,
		"GET /o/:slug/notes/:id":         web.Look,
		"POST /o/:slug/notes/:id":        web.Change,
		"GET /o/:slug/notes/:id/row":     web.Look,
		"POST /o/:slug/notes/:id/check":  web.Change,
		"POST /o/:slug/notes/:id/delete": web.Change,
	})
	ownedByOrganizations = append(ownedByOrganizations, owned{"notes", func(s *apptest.Company) uuid.UUID {
		s.T.Helper()
		n := &models.Note{OrganizationID: s.First.OrganizationID, AuthorID: s.First.UserID, Title: "Plan", Body: "Secret"}
		if err := s.DB.CreateNote(s.T.Context(), n); err != nil {
			s.T.Fatal(err)
		}
		return n.ID
	}, []string{"title", "body"}})
}
