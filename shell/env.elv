# Loads a profile's Cloudflare credentials into Elvish, and takes them out again:
#     alchemy-env            alchemy-env prod            alchemy-env --unset
# Add this file's content to rc.elv. Arguments are those of `alchemy env`.

fn alchemy-env {|@args|
  var change = (e:alchemy env --format elvish $@args | from-json)
  for name $change[unset] { unset-env $name }
  for name [(keys $change[set])] { set-env $name $change[set][$name] }
}
