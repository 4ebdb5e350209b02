// Command gosec runs the rules of gosec on the packages below the working directory.
// gosec's own command depends on 60 modules, many of them for fixes by cloud and
// language model services. The rules need 5; golangci-lint, which also runs them,
// needs 211.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"runtime"

	"github.com/securego/gosec/v2"
	"github.com/securego/gosec/v2/analyzers"
	"github.com/securego/gosec/v2/rules"
)

func main() {
	analyzer := gosec.NewAnalyzer(gosec.NewConfig(), false, false, false, runtime.GOMAXPROCS(0), log.New(io.Discard, "", 0))
	analyzer.LoadRules(rules.Generate(false).RulesInfo())
	analyzer.LoadAnalyzers(analyzers.Generate(false).AnalyzersInfo())

	// Packages that only tests import are excluded like the tests themselves.
	paths, err := gosec.PackagePaths("./...", gosec.ExcludedDirsRegExp([]string{`\.ci`, "apptest"}))
	if err == nil {
		err = analyzer.Process(nil, paths...)
	}
	issues, metrics, errors := analyzer.Report()
	for _, issue := range issues {
		fmt.Printf("%s:%s: %s (%s)\n", issue.File, issue.Line, issue.What, issue.RuleID)
	}
	if err != nil || len(errors) > 0 || len(issues) > 0 || metrics.NumFiles == 0 {
		fmt.Fprintln(os.Stderr, "gosec:", len(issues), "issues in", metrics.NumFiles, "files;", err, errors)
		os.Exit(1)
	}
}
