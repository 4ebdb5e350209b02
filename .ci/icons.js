// Writes templates/components/icons.templ with the icons of lucide-static that pages
// use. Its argument is the unpacked package.
const fs = require("fs");
const names = `activity arrow-down arrow-left arrow-up bell building-2 check chevrons-up-down circle circle-alert circle-check
	contact download ellipsis history info key-round layout-dashboard lock log-in log-out mail menu monitor
	moon plus search send settings shield smartphone sticky-note sun trash-2 triangle-alert user user-minus
	user-plus users x`.split(/\s+/);
const shapes = (name) => fs.readFileSync(`${process.argv[2]}/icons/${name}.svg`, "utf8")
	.replace(/<!--.*?-->/gs, "").replace(/^\s*<svg[^>]*>|<\/svg>\s*$/gs, "")
	.replace(/\s*\/>/g, "/>").replace(/\s*\n\s*/g, "").trim();
const cases = names.map((name) => `\t\t\tcase "${name}":\n\t\t\t\t${shapes(name)}`).join("\n");
fs.writeFileSync("templates/components/icons.templ", `package components

// Icon draws an icon of Lucide, which .ci/icons.js lists. It only decorates: the text
// beside it or the label of its button says what it means.
templ Icon(name string) {
	<svg class="icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
		switch name {
${cases}
		}
	</svg>
}
`);
