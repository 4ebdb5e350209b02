package migrations

// For tests with migrations of their own.
var (
	UpFrom     = up
	StatusFrom = status
)
