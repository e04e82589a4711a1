package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"redial/harness/report"
)

// flagError rewrites an error of pflag into one line that tells what to write instead. The
// original text for an invalid number ("strconv.ParseUint: …") means nothing to most users.
func flagError(c *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	var wrong *pflag.InvalidValueError
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &wrong):
		err = fmt.Errorf("invalid argument %q for --%s, which takes %s", wrong.GetValue(), wrong.GetFlag().Name, valuesOf(wrong))
	case errors.As(err, &unknown) && c.Flags().Lookup(name(unknown)) != nil:
		err = fmt.Errorf("unknown flag: -%s; the flag is --%[1]s, with two dashes", name(unknown))
	}
	return fmt.Errorf("%w; `%s --help` lists the flags", err, c.CommandPath())
}

// name is the name of a long flag that was written with one dash.
func name(unknown *pflag.NotExistError) string {
	name, _, _ := strings.Cut(unknown.GetSpecifiedShortnames(), "=")
	return name
}

// valuesOf describes the values that the flag takes.
func valuesOf(wrong *pflag.InvalidValueError) string {
	switch kind := wrong.GetFlag().Value.Type(); {
	case kind == "bool":
		return "true or false"
	case errors.Is(wrong, strconv.ErrRange):
		return "a smaller whole number"
	case kind == "duration":
		return "a time such as 90s or 10m"
	case kind == "uint64":
		return "a whole number from 0"
	case kind == "int":
		return "a whole number"
	default:
		return "a " + kind
	}
}

// noneEmpty refuses a flag with an empty value.
func noneEmpty(c *cobra.Command, _ []string) (err error) {
	c.Flags().Visit(func(f *pflag.Flag) {
		if f.Value.String() == "" {
			err = fmt.Errorf("--%s is empty", f.Name)
		}
	})
	return err
}

// noArguments refuses arguments that are not flags.
func noArguments(c *cobra.Command, arguments []string) error {
	if len(arguments) > 0 {
		return fmt.Errorf("%s takes no arguments but its flags, and was given %q; `%s --help` lists the flags", c.Name(), arguments[0], c.CommandPath())
	}
	return nil
}

// subcommandMissing is the action of a command that needs a subcommand.
func subcommandMissing(code *int) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, arguments []string) error {
		if len(arguments) > 0 {
			return noSuchCommand(c, arguments[0])
		}
		*code = report.ExitUsage
		c.SetOut(os.Stderr)
		return c.Help()
	}
}

// helpTopic refuses the name of an unknown command, for which Cobra would show the root's
// help and exit with 0.
func helpTopic(c *cobra.Command, path []string) error {
	found, left, err := c.Root().Find(path)
	switch {
	case err != nil:
		return err
	case len(left) == 0:
		return nil
	case found.HasSubCommands():
		return noSuchCommand(found, left[0])
	}
	return fmt.Errorf("`%s` has no command %q", found.CommandPath(), left[0])
}

func noSuchCommand(c *cobra.Command, name string) error {
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return fmt.Errorf("there is no command %q; there are %s", name, strings.Join(names, ", "))
}
