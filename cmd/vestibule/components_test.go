//go:build linux || darwin || freebsd

package main_test

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// TestComponents takes the picture of all components in both themes, at both widths.
// Nothing is lost at the side or without a size, and each theme has its own colors.
// With -artifacts, the go command keeps the pictures.
func TestComponents(t *testing.T) {
	eachVisitor(t, func(v *visitor) {
		for width, name := range map[int64]string{320: "phone", 1280: "wide"} {
			v.resize(width, 5000) // as high as the page
			bright := map[string]uint32{}
			for _, theme := range []string{"light", "dark"} {
				v.opens("/dev/components?theme=" + theme)
				v.wants(`[document.readyState, document.documentElement.scrollWidth > innerWidth]`, []any{"complete", false})
				v.wants(`[...document.querySelectorAll("[data-components] > div > *")].filter(e => !e.offsetWidth || !e.offsetHeight).map(e => e.outerHTML)`, []any{})
				shot, err := chromedp.Call(v.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{})
				if err != nil {
					v.Fatal(err)
				}
				path := filepath.Join(v.ArtifactDir(), "components-"+name+"-"+theme+".png")
				if err := os.WriteFile(path, shot.Data, 0o600); err != nil {
					v.Fatal(err)
				}
				picture, err := png.Decode(bytes.NewReader(shot.Data))
				if err != nil {
					v.Fatal(err)
				}
				bright[theme] = brightness(picture)
			}
			if bright["light"] < 200 || bright["dark"] > 60 {
				v.Errorf("%d pixels wide, the pictures are as bright as %v of 255", width, bright)
			}
		}
	})
}

// brightness returns the mean brightness of a picture, from 0 to 255.
func brightness(picture image.Image) uint32 {
	var sum, n uint32
	size := picture.Bounds()
	for y := size.Min.Y; y < size.Max.Y; y += 7 {
		for x := size.Min.X; x < size.Max.X; x += 7 {
			r, g, b, _ := picture.At(x, y).RGBA()
			sum, n = sum+(r+g+b)/3>>8, n+1
		}
	}
	return sum / n
}
