package gopoll

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryExportHasAnExample: what can be called is shown by an example that
// runs, and so is every mode.
func TestEveryExportHasAnExample(t *testing.T) {
	files, err := filepath.Glob("*.go")
	must(t, err)
	if len(files) == 0 {
		t.Skip("the package's sources are not here: nothing to compare with")
	}
	fset := token.NewFileSet()
	var tests []*ast.File
	wanted := []string{"", "Mode_level", "Mode_edge", "Mode_oneShot"}
	seen := make(map[string]bool)
	for _, name := range files {
		source, err := os.ReadFile(name)
		must(t, err)
		file, err := parser.ParseFile(fset, name, source, parser.ParseComments)
		must(t, err)
		if strings.HasSuffix(name, "_test.go") {
			tests = append(tests, file)
			continue
		}
		for _, d := range file.Decls {
			if name := exampleOf(d); name != "" && !seen[name] {
				seen[name] = true
				wanted = append(wanted, name)
			}
		}
	}
	have := make(map[string]bool)
	for _, e := range doc.Examples(tests...) {
		if e.Output == "" && !e.EmptyOutput {
			t.Errorf("Example%s has no output to be compared", e.Name)
		}
		have[e.Name] = true
	}
	for _, name := range wanted {
		if !have[name] {
			t.Errorf("no example: %q", name)
		}
	}
}

// exampleOf is the name that an example of an exported function or method
// has.
func exampleOf(d ast.Decl) string {
	f, ok := d.(*ast.FuncDecl)
	if !ok || !f.Name.IsExported() {
		return ""
	}
	if f.Recv == nil {
		return f.Name.Name
	}
	of := f.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	name, ok := of.(*ast.Ident)
	if !ok || !name.IsExported() {
		return ""
	}
	return name.Name + "_" + f.Name.Name
}
