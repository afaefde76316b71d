# Loads a profile's Cloudflare credentials into Nushell, and takes them out again:
#     alchemy-env            alchemy-env prod            alchemy-env --unset
# Add this file's content, or `source` with its path, to config.nu. Arguments are those of `alchemy env`.

def --env --wrapped alchemy-env [...args: string] {
    let output = ^alchemy env --format nu ...$args
    let change = $output | from json
    hide-env --ignore-errors ...$change.unset
    load-env $change.set
}
