package web

import (
	"context"
	"net/http"
	"net/netip"
	"regexp"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// requestID matches an id that a proxy gives a request.
var requestID = regexp.MustCompile(`^[A-Za-z0-9._:/+=@-]{1,64}$`)

// adopt takes the request's id and trace from a trusted proxy that has sent them. Anybody
// else could write what they like into the log, and have their requests traced.
func (k *Kit) adopt(c *gin.Context, r *Request) {
	id, parent := c.GetHeader("X-Request-Id"), c.GetHeader("Traceparent")
	if id == "" && parent == "" {
		return
	}
	if proxy, err := netip.ParseAddr(c.RemoteIP()); err != nil || !k.trusts(proxy) {
		return
	}
	if requestID.MatchString(id) {
		r.ID = id
	}
	ctx := propagation.TraceContext{}.Extract(c.Request.Context(), propagation.HeaderCarrier(c.Request.Header))
	if parent := trace.SpanContextFromContext(ctx); parent.IsValid() {
		r.TraceID = parent.TraceID().String()
		c.Request = c.Request.WithContext(ctx)
	}
}

// beginSpan starts the span of a request, and returns what ends it. A span holds the route,
// never a path, a query or who asks: they can hold tokens and what people typed.
func (k *Kit) beginSpan(c *gin.Context, r *Request) (end func()) {
	if k.Tracer == nil || isRoutine(c) {
		return func() {}
	}
	name := method(c)
	attributes := []attribute.KeyValue{attribute.String("http.request.method", name)}
	if path := c.FullPath(); path != "" {
		name += " " + path
		attributes = append(attributes, attribute.String("http.route", path))
	}
	ctx, span := k.Tracer.Start(c.Request.Context(), name, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attributes...))
	r.TraceID = span.SpanContext().TraceID().String()
	c.Request = c.Request.WithContext(ctx)
	return func() {
		status := c.Writer.Status()
		span.SetAttributes(attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// span starts a span of what a request waits for, and returns what ends it.
func (k *Kit) span(ctx context.Context, name string) (_ context.Context, end func()) {
	if k.Tracer == nil {
		return ctx, func() {}
	}
	ctx, span := k.Tracer.Start(ctx, name)
	return ctx, func() { span.End() }
}
