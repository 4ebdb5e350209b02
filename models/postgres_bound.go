package models

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/uptrace/bun/driver/pgdriver"
)

// boundConnector opens connections to PostgreSQL that send the values of a query apart
// from its text. Bun writes values into the text, which PostgreSQL writes to its log when
// a statement fails, times out or ends a deadlock: password hashes, token hashes and
// addresses. A value sent apart is $1 there.
type boundConnector struct{ *postgresConnector }

// Connect implements [driver.Connector].
func (c boundConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.postgresConnector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &boundConn{postgresConn: conn.(*postgresConn), statements: map[string]driver.Stmt{}}, nil
}

// boundConn keeps the statements it has prepared, so a query takes one round trip and is
// not parsed again.
type boundConn struct {
	*postgresConn
	statements map[string]driver.Stmt
}

// maxStatements is how many prepared statements a connection keeps. The site has fewer
// queries; lists of different lengths make more of them.
const maxStatements = 100

// ExecContext implements [driver.ExecerContext].
func (c *boundConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	query, args = bind(query, args)
	if len(args) == 0 {
		return c.postgresConn.ExecContext(ctx, query, nil)
	}
	stmt, kept, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	result, err := stmt.ExecContext(ctx, args)
	if !kept {
		c.drop(query, stmt)
	}
	return result, c.dropIfUnusable(err)
}

// QueryContext implements [driver.QueryerContext].
func (c *boundConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	query, args = bind(query, args)
	if len(args) == 0 {
		return c.postgresConn.QueryContext(ctx, query, nil)
	}
	stmt, kept, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(ctx, args)
	switch {
	case kept:
	case err != nil:
		c.drop(query, stmt)
	default:
		return &lastRows{rows, func() { c.drop(query, stmt) }}, nil
	}
	return rows, c.dropIfUnusable(err)
}

// statement is what pgdriver prepares.
type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// statement prepares query, and reports whether it is kept. The best plan of a search
// depends on its text. The columns of * may change while the program runs.
func (c *boundConn) statement(ctx context.Context, query string) (stmt statement, kept bool, err error) {
	if !c.IsValid() {
		return nil, false, driver.ErrBadConn
	}
	if stmt, ok := c.statements[query]; ok {
		return stmt.(statement), true, nil
	}
	prepared, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, false, err
	}
	if strings.Contains(query, "strpos(") || strings.Contains(query, " LIKE ") || strings.Contains(query, " RETURNING *") {
		return prepared.(statement), false, nil
	}
	if len(c.statements) >= maxStatements {
		for old, stmt := range c.statements {
			c.drop(old, stmt)
			break
		}
	}
	c.statements[query] = prepared
	return prepared.(statement), true, nil
}

// dropIfUnusable drops the connection if err says that the server takes no writes, or that
// a migration has changed a column's type since the statement was prepared (PostgreSQL,
// appendix A: feature not supported). The statement did nothing, so database/sql repeats it
// on another connection, unless it is within a transaction.
func (c *boundConn) dropIfUnusable(err error) error {
	var answer pgdriver.Error
	if errors.As(err, &answer) && answer.Field('C') == "0A000" && answer.Field('R') == "RevalidateCachedQuery" {
		_ = c.Close()
		return fmt.Errorf("%w: %w", driver.ErrBadConn, err)
	}
	return c.dropIfReadOnly(err)
}

func (c *boundConn) drop(query string, stmt driver.Stmt) {
	delete(c.statements, query)
	if stmt.Close() != nil { // out of step
		_ = c.Close()
	}
}

// lastRows are those of a statement that is closed after them.
type lastRows struct {
	driver.Rows
	end func()
}

// Close implements [driver.Rows].
func (r *lastRows) Close() error {
	err := r.Rows.Close()
	r.end()
	return err
}

// bind replaces the string literals in the text of a query by parameters, and returns
// their values. Bun writes strings, bytes, times and ids as such literals. A query that
// has parameters already, and one that is no plain query of rows, stay as they are.
func bind(query string, args []driver.NamedValue) (string, []driver.NamedValue) {
	if len(args) > 0 || !strings.Contains(query, "'") {
		return query, args
	}
	verb, _, _ := strings.Cut(query, " ")
	if !slices.Contains([]string{"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"}, verb) {
		return query, args
	}
	var text strings.Builder
	var values []driver.NamedValue
	for rest := query; ; {
		i := strings.IndexAny(rest, `'";$-/`)
		if i < 0 {
			text.WriteString(rest)
			return text.String(), values
		}
		text.WriteString(rest[:i])
		switch rest[i] {
		case '\'', '"':
			end := closingQuote(rest[i:])
			if end < 0 || i > 0 && isWord(rest[i-1]) { // such as E'...'
				return query, args
			}
			quoted := rest[i : i+end]
			rest = rest[i+end:]
			if quoted[0] == '"' || isTyped(text.String()) {
				text.WriteString(quoted)
				continue
			}
			value := strings.ReplaceAll(quoted[1:end-1], "''", "'")
			values = append(values, driver.NamedValue{Ordinal: len(values) + 1, Value: value})
			text.WriteString("$" + strconv.Itoa(len(values)))
		case '-', '/':
			if next := rest[i+1:]; strings.HasPrefix(next, "-") || strings.HasPrefix(next, "*") { // a comment
				return query, args
			}
			text.WriteByte(rest[i])
			rest = rest[i+1:]
		default: // another statement, a parameter or a dollar-quoted text
			return query, args
		}
	}
}

// closingQuote returns the length of the quoted text that s begins with, or -1 if it has
// no end. A doubled quote does not end it.
func closingQuote(s string) int {
	for i := 1; i < len(s); i++ {
		if s[i] != s[0] {
			continue
		}
		if i+1 == len(s) || s[i+1] != s[0] {
			return i + 1
		}
		i++
	}
	return -1
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '&'
}

// isTyped reports whether text ends with a type whose literal follows, which can't be a
// parameter.
func isTyped(text string) bool {
	words := strings.Fields(text[max(0, len(text)-20):])
	if len(words) == 0 {
		return false
	}
	last := strings.ToUpper(strings.TrimLeft(words[len(words)-1], "("))
	return slices.Contains([]string{"DATE", "INTERVAL", "TIME", "TIMESTAMP", "TIMESTAMPTZ", "ZONE"}, last)
}
