"""The plugins that ship with the hub. They come in through the same entry points as anyone's."""

if __name__ != "hub_plugins":
    raise ImportError(f"import this package as hub_plugins, not as {__name__}: two copies would be two plugins")
