// Writes templates/components/icons.templ with the icons of lucide-static that pages
// use, and brands.templ with those of @iconify-json/logos. Its arguments are the two
// unpacked packages.
const fs = require("fs");
const names = `activity arrow-down arrow-left arrow-up bell building-2 check chevron-right chevrons-up-down circle circle-alert circle-check
	contact database download ellipsis history info key-round layout-dashboard link lock log-in log-out mail menu monitor
	moon plus search send settings shield smartphone sticky-note sun trash-2 triangle-alert user user-minus
	user-plus users x`.split(/\s+/);
const shapes = (name) => fs.readFileSync(`${process.argv[2]}/icons/${name}.svg`, "utf8")
	.replace(/<!--.*?-->/gs, "").replace(/^\s*<svg[^>]*>|<\/svg>\s*$/gs, "")
	.replace(/<(\w+)([^>]*?)\s*\/>/g, "<$1$2></$1>").replace(/\s*\n\s*/g, "").trim();
const cases = names.map((name) => `\t\t\tcase "${name}":\n\t\t\t\t${shapes(name)}`).join("\n");
fs.writeFileSync("templates/components/icons.templ", `package components

// Icon draws an icon of Lucide, which .ci/icons.js lists. It only decorates: the text
// beside it or the label of its button says what it means.
templ Icon(name string) {
	<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
		switch name {
${cases}
		}
	</svg>
}
`);

const logos = JSON.parse(fs.readFileSync(`${process.argv[3]}/icons.json`, "utf8"));
const brands = { apple: "apple", github: "github-icon", google: "google-icon", microsoft: "microsoft-icon" };
const plain = ["apple", "github"]; // of one color, that of the text
const drawn = Object.entries(brands).map(([name, icon]) => {
	const { body, width = logos.width, height = logos.height } = logos.icons[icon];
	const side = Math.max(width, height); // a square, so that the names beside them line up
	const shape = (plain.includes(name) ? body.replace(/ fill="[^"]*"/g, "") : body).replace(/\/>/g, "></path>");
	return `\t\tcase "${name}":\n\t\t\t<svg class="icon logo" viewBox="${(width - side) / 2} ${(height - side) / 2} ${side} ${side}" aria-hidden="true">${shape}</svg>`;
});
fs.writeFileSync("templates/components/brands.templ", `package components

// isBrand reports whether Brand draws the sign of a provider.
func isBrand(name string) bool {
	switch name {
	case ${Object.keys(brands).map((name) => `"${name}"`).join(", ")}:
		return true
	}
	return false
}

// Brand draws the sign of a provider in its own colors, from SVG Logos (CC0), which
// .ci/icons.js lists. The label of its button says what it means.
templ Brand(name string) {
	switch name {
${drawn.join("\n")}
	}
}
`);
