# Keeps the Cloudflare credentials of the directory's profile in PowerShell 7.2 and later. In $PROFILE:
#     alchemy hook pwsh | Out-String | Invoke-Expression
#
# What changes comes from `hook-env` as JSON and is never script text, and no value is assigned to a
# variable: Set-PSDebug -Trace would show both.

if ($PSVersionTable.PSVersion -lt '7.2') { throw 'alchemy: the hook needs PowerShell 7.2 or later' }

# What the hook knows, where programs do not see it. Table: for each variable what it was, and what we made
# it; $null is "not set". Names of variables differ by case, which the keys of @{} do not.
if (-not (Test-Path -LiteralPath Variable:global:__alchemy)) {
    $global:__alchemy = @{
        Table = [hashtable]::new([StringComparer]::Ordinal)
        Seen = $null; Active = ''; Told = ''; Until = ''; GenerationFile = ''; Generation = ''; PinFile = ''; Pin = ''
        FollowsLocation = $false
    }
}

function global:__alchemy_get($Name) { [Environment]::GetEnvironmentVariable($Name) }

# [NullString]: a plain $null would arrive as the empty string, which since 7.5 is a value.
function global:__alchemy_put($Name, $Value) {
    if ($null -eq $Value) { [Environment]::SetEnvironmentVariable($Name, [NullString]::Value) }
    else { [Environment]::SetEnvironmentVariable($Name, $Value) }
}

# Not -ceq, for which invisible characters are equal to none.
function global:__alchemy_is_ours($Name) {
    [object]::Equals((__alchemy_get $Name), $global:__alchemy.Table[$Name].Ours)
}

# Makes a variable ours, unless the person has changed it since it was.
function global:__alchemy_change($Name, $Value) {
    if (-not $global:__alchemy.Table.ContainsKey($Name)) {
        $global:__alchemy.Table[$Name] = @{ Was = (__alchemy_get $Name); Ours = (__alchemy_get $Name) }
    }
    if (__alchemy_is_ours $Name) {
        __alchemy_put $Name $Value
        # Read again: before 7.5 an empty value unsets the variable.
        $global:__alchemy.Table[$Name].Ours = __alchemy_get $Name
    }
}

function global:__alchemy_leave {
    foreach ($name in @($global:__alchemy.Table.Keys)) {
        if (__alchemy_is_ours $name) { __alchemy_put $name $global:__alchemy.Table[$name].Was }
    }
    $global:__alchemy.Table.Clear()
}

# Does what hook-env says, in this order: adopt, leave, set, unset, state.
function global:__alchemy_apply($Step) {
    # What another shell has activated takes the place of what we hold.
    if ($Step.GetProperty('adopt').ValueKind -eq 'Array') {
        $global:__alchemy.Table.Clear()
        $Step.GetProperty('adopt').EnumerateArray() | ForEach-Object {
            if ($null -ne (__alchemy_get $_.GetString())) {
                $global:__alchemy.Table[$_.GetString()] = @{ Was = $null; Ours = (__alchemy_get $_.GetString()) }
            }
        }
    }
    if ($Step.GetProperty('leave').GetBoolean()) { __alchemy_leave }
    $Step.GetProperty('set').EnumerateObject() | ForEach-Object { __alchemy_change $_.Name $_.Value.GetString() }
    $Step.GetProperty('unset').EnumerateArray() | ForEach-Object {
        $name = $_.GetString()
        if ($null -ne (__alchemy_get $name) -or $global:__alchemy.Table.ContainsKey($name)) {
            __alchemy_change $name $null
        }
    }
    foreach ($key in 'Active', 'Told', 'Until', 'GenerationFile', 'Generation', 'PinFile', 'Pin') {
        $property = $key.Substring(0, 1).ToLowerInvariant() + $key.Substring(1)
        $global:__alchemy[$key] = $Step.GetProperty('state').GetProperty($property).GetString()
    }
}

# Not `&`: that would set $LASTEXITCODE, lose empty arguments (7.2), and take line ends for its own.
function global:__alchemy_run {
    $start = [Diagnostics.ProcessStartInfo]::new(__ALCHEMY__)
    foreach ($argument in 'hook-env', 'pwsh', '--active', $global:__alchemy.Active, '--told', $global:__alchemy.Told) {
        $start.ArgumentList.Add($argument)
    }
    $start.WorkingDirectory = $ExecutionContext.SessionState.Path.CurrentFileSystemLocation.ProviderPath
    $start.UseShellExecute = $false
    $start.RedirectStandardOutput = $true
    $start.StandardOutputEncoding = [Text.UTF8Encoding]::new($false)
    $process = [Diagnostics.Process]::Start($start)
    try {
        __alchemy_apply ([Text.Json.JsonDocument]::Parse($process.StandardOutput.ReadToEnd()).RootElement)
    }
    finally {
        $process.Dispose()
    }
}

# A file as hook-env tells it: decoded as it is, a byte order mark included, up to the first NUL.
function global:__alchemy_read($Path) {
    if ($Path -ne '' -and [IO.File]::Exists($Path)) {
        [Text.Encoding]::UTF8.GetString([IO.File]::ReadAllBytes($Path)).Split([char] 0)[0]
    }
    else { '' }
}

function global:__alchemy_here {
    @(
        $ExecutionContext.SessionState.Path.CurrentFileSystemLocation.ProviderPath
        foreach ($name in 'ALCHEMY_ACTIVE', 'ALCHEMY_PROFILE', 'CLOUDFLARE_PROFILE') { "$(__alchemy_get $name)" }
    ) -join "`n"
}

# Asks hook-env if something has changed since it was asked last.
function global:__alchemy_check {
    $state = $global:__alchemy
    $errors = $global:Error.Count
    try {
        $here = __alchemy_here
        if ([string]::Equals($here, $state.Seen) -and
            [string]::Equals((__alchemy_read $state.GenerationFile), $state.Generation) -and
            [string]::Equals((__alchemy_read $state.PinFile), $state.Pin) -and
            ($state.Until -eq '' -or [DateTimeOffset]::UtcNow.ToUnixTimeSeconds() -lt [long] $state.Until)) {
            return
        }
        # What is noted now holds when it fails: it is not asked again before something changes.
        $state.Seen = $here
        $state.Generation = __alchemy_read $state.GenerationFile
        $state.Pin = __alchemy_read $state.PinFile
        $state.Until = ''
        __alchemy_run
        $state.Seen = __alchemy_here
    }
    catch {
        # hook-env has said what there is to say, on the terminal.
        while ($global:Error.Count -gt $errors) { $global:Error.RemoveAt(0) }
    }
}

# `cd` asks at once, for `cd x && command`; not in a script, which may have read $PROFILE, too.
function global:__alchemy_follow_location {
    if ($global:__alchemy.FollowsLocation) { return }
    $global:__alchemy.FollowsLocation = $true
    $follow = [EventHandler[Management.Automation.LocationChangedEventArgs]] {
        if (-not @(Get-PSCallStack | Where-Object ScriptName)) { __alchemy_check }
    }
    $commands = $ExecutionContext.SessionState.InvokeCommand
    # Combine takes $null for "none".
    $commands.LocationChangedAction = [Delegate]::Combine($commands.LocationChangedAction, $follow)
}

# A closure, because what wraps this prompt may be wrapped again when $PROFILE is read anew.
function global:__alchemy_prompt($Previous) {
    {
        $__alchemy_succeeded = $?
        __alchemy_check
        __alchemy_follow_location
        # The prompt of before may show $?.
        if (-not $__alchemy_succeeded) { Write-Error '' -ErrorAction Ignore }
        & $Previous
    }.GetNewClosure()
}

if ("$function:prompt" -notlike '*__alchemy_check*') {
    Set-Item -LiteralPath Function:global:prompt -Value (__alchemy_prompt $function:prompt)
}
