# Completes alchemy's command lines in PowerShell. Printed by `alchemy completions pwsh`.
# The binary says what can stand at the cursor, and of what kind that is; src/cli/complete.rs.

Register-ArgumentCompleter -Native -CommandName alchemy, alchemy-exec -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        ForEach-Object { if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value } else { $_.Extent.Text } })
    # PowerShell before 7.3 leaves an empty argument out.
    $current = if ($wordToComplete -eq '' -and -not $PSNativeCommandArgumentPassing) { '""' } else { $wordToComplete }
    $kind, $values = @(& __ALCHEMY__ __complete pwsh -- @words $current 2>$null)
    foreach ($line in $values) {
        $value, $help = $line -split "`t", 2
        if (-not $help) { $help = $value }
        [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $help)
    }
}
