package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"redial/scenarios/config"
)

func newExplain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [KEY]",
		Short: "Explain a key of redial.yaml",
		Long: `explain prints the meaning of a key of redial.yaml, and the keys below it. Without a key it
lists all keys. The same texts are in scenarios/schema/config.schema.json, for editors.`,
		Example: "  redial explain\n  redial explain socket.send",
		Args:    cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return keyNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, names []string) error {
			key, err := config.Explain(strings.Join(names, ""))
			if err == nil {
				explain(os.Stdout, key)
			}
			return err
		},
	}
}

func explain(w io.Writer, key config.Key) {
	if key.Name == "" {
		fmt.Fprintf(w, "%s.\n\n", key.Help)
	} else {
		fmt.Fprintf(w, "%s (%s): %s.\n", key.Name, key.Type, key.Help)
		if len(key.Values) > 0 {
			fmt.Fprintf(w, "Its values are %s.\n", strings.Join(key.Values, ", "))
		}
		if len(key.Keys) > 0 {
			fmt.Fprintln(w)
		}
	}
	below(key, func(k config.Key) { fmt.Fprintf(w, "  %-24s %s\n", k.Name, k.Help) })
}

// below calls do with every key below the given one, at any depth.
func below(key config.Key, do func(config.Key)) {
	for _, k := range key.Keys {
		do(k)
		below(k, do)
	}
}

func keyNames() (names []string) {
	file, _ := config.Explain("") // the file as a whole is always found
	below(file, func(k config.Key) { names = append(names, k.Name) })
	return names
}
