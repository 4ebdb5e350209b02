package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"vestibule/app/web"
)

// tracing reports whether the settings of OpenTelemetry ask for traces (OpenTelemetry
// Environment Variable Specification).
func tracing() bool {
	return traceSetting("ENDPOINT") != "" && !strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") && os.Getenv("OTEL_TRACES_EXPORTER") != "none"
}

// traceSetting returns a setting of the exporter: that of traces, or that of all signals.
func traceSetting(name string) string {
	return cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_"+name), os.Getenv("OTEL_EXPORTER_OTLP_"+name))
}

// newTracer returns a tracer that sends its spans as the settings of OpenTelemetry say.
// The caller must call stop, which sends the rest.
func newTracer(ctx context.Context, log *slog.Logger) (tracer trace.Tracer, stop func(), err error) {
	client, err := newOTLPClient()
	if err != nil {
		return nil, nil, err
	}
	exporter, err := otlptrace.New(ctx, client)
	if err != nil {
		return nil, nil, err
	}
	build, _ := debug.ReadBuildInfo()
	described, err := resource.New(ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "vestibule"), attribute.String("service.version", web.Version(build))),
		resource.WithFromEnv()) // the last one wins
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces not sent", "err", err) }))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(described))
	log.Info("requests are traced", "url", client.shownURL())
	return provider.Tracer("vestibule"), func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := provider.Shutdown(last); err != nil {
			log.Warn("traces not sent", "err", err)
		}
	}, nil
}
