package web

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
)

// AccessLog says which requests get a line in the log. The zero value is all of them.
type AccessLog struct {
	off     bool
	omitted float64 // the share of requests without an error that get none
}

// UnmarshalText reads "all", "errors", "off", or the share of requests without an error
// that get a line, such as "0.1". Those with an error then get one, too.
func (l *AccessLog) UnmarshalText(text []byte) error {
	switch setting := string(text); setting {
	case "all":
		*l = AccessLog{}
	case "errors":
		*l = AccessLog{omitted: 1}
	case "off":
		*l = AccessLog{off: true}
	default:
		share, err := strconv.ParseFloat(setting, 64)
		if err != nil || !(share > 0 && share < 1) {
			return errors.New(`it must be "all", "errors", "off", or a share such as 0.1`)
		}
		*l = AccessLog{omitted: 1 - share}
	}
	return nil
}

// has reports whether a request with that status gets a line.
func (l AccessLog) has(status int) bool {
	switch {
	case l.off:
		return false
	case status >= http.StatusBadRequest || l.omitted == 0:
		return true
	}
	return rand.Float64() >= l.omitted // #nosec G404 -- chooses lines of a log
}
