package admin

import (
	"time"

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

// today returns the number of the latest day, or 0 before the first count.
func today(o Overview, number func(models.DailyCount) int64) int64 {
	if last := o.last(); last != nil {
		return number(*last)
	}
	return 0
}

// most returns the highest number of a day.
func most(o Overview, number func(models.DailyCount) int64) int64 {
	var most int64
	for _, c := range o.Counts {
		most = max(most, number(c))
	}
	return most
}
