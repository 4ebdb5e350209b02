package admin

import (
	"time"

	"github.com/dustin/go-humanize"

	"vestibule/models"
)

// barWidth is the width of a day in a chart, in units of its drawing.
const barWidth = 10

// bar is a day in a chart, whose height is 60.
type bar struct{ x, height int }

// bars returns the bar of each day that was counted, the highest as high as the chart.
func bars(o Overview, number func(models.DailyCount) int64) (all []bar) {
	var most int64 = 1
	for _, c := range o.Counts {
		most = max(most, number(c))
	}
	today := time.Now().UTC().Truncate(24 * time.Hour)
	for _, c := range o.Counts {
		day, err := time.Parse(time.DateOnly, c.Day)
		ago := int(today.Sub(day).Hours() / 24)
		n := number(c)
		if err != nil || n == 0 || ago < 0 || ago >= o.Days {
			continue
		}
		all = append(all, bar{x: (o.Days - 1 - ago) * barWidth, height: max(2, int(60*n/most))})
	}
	return all
}

// chartHint says in words what a chart shows.
func chartHint(o Overview, number func(models.DailyCount) int64) string {
	var most int64
	for _, c := range o.Counts {
		most = max(most, number(c))
	}
	today := "none today"
	if last := o.last(); last != nil && number(*last) > 0 {
		today = humanize.Comma(number(*last)) + " today"
	}
	return today + ", most in a day: " + humanize.Comma(most)
}
