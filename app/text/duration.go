package text

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseDuration reads a duration as operators write it: as [time.ParseDuration] does, such
// as 90m, or in whole days, such as 30d.
func ParseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		d = time.Duration(n) * 24 * time.Hour // #nosec G115 -- it has 16 bits
	}
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration such as 90m, 12h or 30d", s)
	}
	return d, nil
}
