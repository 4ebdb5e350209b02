package apptest

import (
	"net/http"

	"vestibule/models"
)

// Operator signs p up as an operator with that role, in a session with a second factor.
func (s *Site) Operator(p Person, role models.OperatorRole) *Visitor {
	s.T.Helper()
	v := s.Visit(s.T)
	v.Join(p)
	u := s.User(p.Username)
	if err := s.DB.SetOperator(s.T.Context(), u, role); err != nil {
		s.T.Fatal(err)
	}
	sessions, err := s.DB.Sessions(s.T.Context(), u.ID)
	if err != nil || len(sessions) != 1 {
		s.T.Fatalf("%d sessions (%v)", len(sessions), err)
	}
	if err := s.DB.Strengthen(s.T.Context(), &sessions[0], models.FactorCode); err != nil {
		s.T.Fatal(err)
	}
	return v
}

// Impersonate makes an operator use the site as the user of that username.
func (v *Visitor) Impersonate(username string) {
	v.T.Helper()
	page := v.Get("/admin/people/" + v.Site.User(username).ID.String() + "/impersonate").Wants(http.StatusOK)
	v.Submit(page, "form#act", Fill("reason", "Ticket 4711")).LeadsTo("/dashboard")
}
