package web

import (
	"slices"
	"strings"

	"vestibule/app/provider"
	"vestibule/templates/components"
)

// ProviderPath is the path that begins a sign-in by the provider of that name.
func ProviderPath(name string) string { return "/auth/" + name }

// addProviders creates the site's providers and their toasts.
func (k *Kit) addProviders() {
	for _, config := range k.Config.Providers {
		k.Providers = append(k.Providers, provider.New(config, k.Config.BaseURL+ProviderPath(config.Name)+"/callback"))
		add := func(kind components.Kind, toasts map[string]string) {
			named := map[string]string{}
			for key, text := range toasts {
				named[ProviderToast(key, config.Name)] = strings.ReplaceAll(text, "{label}", config.Label)
			}
			k.AddToasts(kind, named)
		}
		add(components.Good, map[string]string{
			"connected": "{label} connected",
		})
		add(components.Note, map[string]string{
			"canceled": "You canceled at {label}, so nothing was done.",
			"claimed":  "Signed in by {label}. Your email address wasn't confirmed before, so we removed the password and the devices that this account had.",
		})
		add(components.Problem, map[string]string{
			"down":      "{label} isn't answering right now. Try again later, or use another way.",
			"refused":   "{label} didn't confirm who you are. Try again, or use another way.",
			"have":      "There's already an account with your email address. Sign in to it another way, then connect {label}.",
			"taken":     "That account at {label} is connected to another account here.",
			"uninvited": "You need an invitation to create an account here. Sign in another way if you have one.",
			"unknown":   "That account at {label} isn't connected to yours.",
		})
	}
}

// ProviderToast returns the key of a toast that names a provider.
func ProviderToast(key, provider string) string { return key + "-" + provider }

// Provider returns the provider of that name, or nil.
func (k *Kit) Provider(name string) *provider.Provider {
	i := slices.IndexFunc(k.Providers, func(p *provider.Provider) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return k.Providers[i]
}

// ProviderLabel returns what people call the provider of that name, also if the operator
// has removed it since.
func (k *Kit) ProviderLabel(name string) string {
	if p := k.Provider(name); p != nil {
		return p.Label
	}
	return name
}

// ProviderButtons returns the site's providers for a page.
func (k *Kit) ProviderButtons() []components.Provider {
	var buttons []components.Provider
	for _, p := range k.Providers {
		buttons = append(buttons, components.Provider{Name: p.Name, Label: p.Label})
	}
	return buttons
}
