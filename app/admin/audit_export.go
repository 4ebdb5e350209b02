package admin

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/device"
	"vestibule/models"
)

// AuditRow is an event of the audit log in a file, and as "vestibule audit" prints it.
type AuditRow struct {
	ID       uuid.UUID  `json:"id"`
	Kind     string     `json:"kind"`
	UserID   *uuid.UUID `json:"user_id"`
	Username *string    `json:"username"`
	Login    *string    `json:"login"` // the username, or else the email address
	ActorID  *uuid.UUID `json:"actor_id"`
	Actor    *string    `json:"actor"` // the same of who caused the event
	Operator bool       `json:"operator"`

	OrganizationID *uuid.UUID `json:"organization_id,omitempty"`
	IP             string     `json:"ip"`
	Device         string     `json:"device"`
	UserAgent      string     `json:"user_agent"`
	RequestID      string     `json:"request_id"`
	CreatedAt      time.Time  `json:"created_at"`

	OperatorID   *uuid.UUID          `json:"operator_id,omitempty"` // who used the site as the actor
	OperatorRole models.OperatorRole `json:"operator_role,omitempty"`
	Detail       models.EventDetail  `json:"detail,omitzero"`
}

// NewAuditRow returns the row of e, whose users are loaded.
func NewAuditRow(e *models.Event) AuditRow {
	row := AuditRow{
		ID:        e.ID,
		Kind:      e.Kind,
		Operator:  e.ByOperator(),
		IP:        e.IP,
		UserAgent: e.UserAgent,
		RequestID: e.RequestID,
		CreatedAt: e.CreatedAt.UTC(),

		ActorID:        optionalID(e.ActorID),
		OrganizationID: optionalID(e.OrganizationID),

		OperatorID:   optionalID(e.OperatorID),
		OperatorRole: e.OperatorRole,
		Detail:       e.Detail,
	}
	if e.UserAgent != "" {
		row.Device = device.Name(e.UserAgent)
	}
	row.UserID, row.Username = OptionalUser(e.UserID, e.User)
	row.Login, row.Actor = optionalLogin(e.User), optionalLogin(e.Actor)
	return row
}

// optionalID returns a pointer to id, or nil for the zero id.
func optionalID(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

// optionalLogin returns what user signs in with, or nil for nobody.
func optionalLogin(user *models.User) *string {
	if user == nil {
		return nil
	}
	login := user.Login()
	return &login
}

// OptionalUser returns pointers to the id and username, or nil, which JSON prints as
// null, where they are unknown or there is none.
func OptionalUser(id uuid.UUID, user *models.User) (*uuid.UUID, *string) {
	if id == uuid.Nil || user == nil || user.Username == "" {
		return optionalID(id), nil
	}
	return &id, &user.Username
}

// auditColumns are the columns of the audit log as CSV.
var auditColumns = []string{"created_at", "kind", "user_id", "login", "actor_id", "actor_login", "operator", "operator_id", "operator_login", "operator_role", "organization_id", "ip", "device", "user_agent", "request_id", "detail", "id"}

// auditCells returns e as CSV has it.
func auditCells(e *models.Event) ([]string, error) {
	detail, operator, name := "", "", ""
	if !e.Detail.IsZero() {
		encoded, err := json.Marshal(e.Detail)
		if err != nil {
			return nil, err
		}
		detail = string(encoded)
	}
	if e.ByOperator() {
		operator = "yes"
	}
	if e.UserAgent != "" {
		name = device.Name(e.UserAgent)
	}
	cells := []string{e.CreatedAt.UTC().Format(time.RFC3339Nano), e.Kind, idCell(e.UserID), loginCell(e.User), idCell(e.ActorID), loginCell(e.Actor), operator, idCell(e.OperatorID), loginCell(e.Operator), string(e.OperatorRole), idCell(e.OrganizationID),
		e.IP, name, e.UserAgent, e.RequestID, detail, e.ID.String()}
	for i := range cells {
		cells[i] = safeCell(cells[i])
	}
	return cells, nil
}

func idCell(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

func loginCell(u *models.User) string {
	if u == nil {
		return ""
	}
	return u.Login()
}

// safeCell keeps a spreadsheet from running s as a formula (OWASP: CSV injection).
func safeCell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// ExportAuditCSV sends what the filter finds of the audit log as CSV.
func (h Handlers) ExportAuditCSV(c *gin.Context) error {
	return h.exportAudit(c, "audit.csv", "text/csv; charset=utf-8", func(w *bufio.Writer) auditWriter { return csvAudit{csv.NewWriter(w)} })
}

// ExportAuditJSON sends what the filter finds of the audit log as a JSON array.
func (h Handlers) ExportAuditJSON(c *gin.Context) error {
	return h.exportAudit(c, "audit.json", "application/json; charset=utf-8", func(w *bufio.Writer) auditWriter { return &jsonAudit{w: w} })
}

// exportAudit streams what the filter finds of the audit log, a row at a time. The export is
// recorded before anything is sent.
func (h Handlers) exportAudit(c *gin.Context, filename, mediaType string, format func(*bufio.Writer) auditWriter) error {
	audit, filter, err := h.auditFilter(c)
	if err != nil {
		return err
	}
	if audit.None != "" {
		return models.ErrNotFound
	}
	return h.Download(c, filename, mediaType, func(ctx context.Context, buffer *bufio.Writer) error {
		if err := h.record(c, h.DB, models.EventAuditExported, &models.User{ID: filter.Person}, models.EventDetail{Log: audit.Words()}); err != nil {
			return err
		}
		w := format(buffer)
		if err := w.begin(); err != nil {
			return err
		}
		for e, err := range h.DB.AllEvents(ctx, filter) {
			if err != nil {
				return err
			}
			if err := w.row(e); err != nil {
				return err
			}
		}
		return w.end()
	})
}

// auditWriter writes the audit log in one format.
type auditWriter interface {
	begin() error
	row(e *models.Event) error
	end() error
}

type csvAudit struct{ w *csv.Writer }

func (a csvAudit) begin() error { return a.w.Write(auditColumns) }

func (a csvAudit) row(e *models.Event) error {
	cells, err := auditCells(e)
	if err != nil {
		return err
	}
	return a.w.Write(cells)
}

func (a csvAudit) end() error {
	a.w.Flush()
	return a.w.Error()
}

type jsonAudit struct {
	w         *bufio.Writer
	separator string
}

func (a *jsonAudit) begin() error { return a.w.WriteByte('[') }

func (a *jsonAudit) row(e *models.Event) error {
	encoded, err := json.Marshal(NewAuditRow(e))
	if err != nil {
		return err
	}
	_, _ = a.w.WriteString(a.separator + "\n") // w keeps its first error
	a.separator = ","
	_, err = a.w.Write(encoded)
	return err
}

func (a *jsonAudit) end() error {
	_, err := a.w.WriteString("\n]\n")
	return err
}
