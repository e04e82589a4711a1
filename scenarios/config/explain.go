package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"redial/harness/contract"
	"redial/harness/plan"
)

// A Key is one key of the file, with its help.
type Key struct {
	// Name is the key with those above it: socket.send.event.
	Name string
	// Type is what its value is, for a person.
	Type string
	// Help is one sentence.
	Help string
	// Values are the only ones that it takes, where there are few.
	Values []string
	// Keys are those below it.
	Keys []Key
}

// Explain returns the key with the name, such as socket.send; an empty name returns the
// whole file.
func Explain(name string) (Key, error) {
	key := Key{Type: "the file", Help: "redial.yaml describes an application: how to start it, how it speaks and what it promises", Keys: keysOf(reflect.TypeFor[File](), "")}
	if name == "" {
		return key, nil
	}
	for _, part := range strings.Split(name, ".") {
		at := slices.IndexFunc(key.Keys, func(k Key) bool { return k.Name[strings.LastIndex(k.Name, ".")+1:] == part })
		if at < 0 {
			return Key{}, fmt.Errorf("there is no key %q; %s", name, offer(key))
		}
		key = key.Keys[at]
	}
	return key, nil
}

// offer lists the keys that exist below a key.
func offer(key Key) string {
	var names []string
	for _, k := range key.Keys {
		names = append(names, k.Name)
	}
	if len(names) == 0 {
		return key.Name + " has no keys below it"
	}
	return "there are " + strings.Join(names, ", ")
}

// keysOf reads a struct's tags, from which the JSON schema is made, too.
func keysOf(of reflect.Type, above string) (keys []Key) {
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct {
		return nil
	}
	for _, field := range reflect.VisibleFields(of) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous || !field.IsExported() || name == "" || name == "-" {
			continue
		}
		key := Key{Name: above + name, Type: typeName(field.Type), Keys: keysOf(field.Type, above+name+".")}
		key.Help = field.Tag.Get("jsonschema_description")
		for _, part := range strings.Split(field.Tag.Get("jsonschema"), ",") {
			if value, ok := strings.CutPrefix(part, "enum="); ok {
				key.Values = append(key.Values, value)
			}
		}
		if field.Type == reflect.TypeFor[contract.Level]() {
			key.Values = append(key.Values, contract.LevelNames()...)
		}
		keys = append(keys, key)
	}
	return keys
}

func typeName(of reflect.Type) string {
	switch {
	case of == reflect.TypeFor[Command]():
		return "text or list"
	case of == reflect.TypeFor[plan.Duration]():
		return "time, such as 60s"
	case of.Kind() == reflect.Pointer:
		return typeName(of.Elem())
	case of.Kind() == reflect.Slice:
		return "list"
	case of.Kind() == reflect.Map, of.Kind() == reflect.Struct:
		return "keys and values"
	case of.Kind() == reflect.Bool:
		return "true or false"
	case of.Kind() == reflect.Int:
		return "number"
	}
	return "text"
}
