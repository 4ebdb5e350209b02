package models

import (
	"context"
	"database/sql"
	"errors"

	"github.com/uptrace/bun"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Trace adds a span for each query to the traces of requests. Call it before the first
// query. A span has the operation and the table, never the query, which holds values.
func (db *DB) Trace(tracer trace.Tracer) {
	system := "sqlite"
	if db.Postgres() {
		system = "postgresql"
	}
	db.pool = db.pool.WithQueryHook(queryTracer{tracer, attribute.String("db.system.name", system)})
	db.bun = db.pool
}

// queryTracer is a hook of Bun.
type queryTracer struct {
	tracer trace.Tracer
	system attribute.KeyValue
}

type spanKey struct{}

// BeforeQuery implements [bun.QueryHook]. Queries outside a traced request, such as those
// that poll the mail queue, get no span.
func (q queryTracer) BeforeQuery(ctx context.Context, e *bun.QueryEvent) context.Context {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx
	}
	name := e.Operation()
	attributes := []attribute.KeyValue{q.system, attribute.String("db.operation.name", name)}
	if e.IQuery != nil {
		if table := e.IQuery.GetTableName(); table != "" {
			name += " " + table
			attributes = append(attributes, attribute.String("db.collection.name", table))
		}
	}
	_, span := q.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...))
	e.Stash = map[any]any{spanKey{}: span}
	return ctx
}

// AfterQuery implements [bun.QueryHook].
func (q queryTracer) AfterQuery(_ context.Context, e *bun.QueryEvent) {
	span, ok := e.Stash[spanKey{}].(trace.Span)
	if !ok {
		return
	}
	if e.Err != nil && !errors.Is(e.Err, sql.ErrNoRows) {
		span.SetStatus(codes.Error, "") // the text of an error may hold values
	}
	span.End()
}
