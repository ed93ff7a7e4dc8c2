@echo off
rem Runs one step in the folder of its files. %1: its folder; %2: code page in which the agent reads.
chcp %2 >nul 2>&1
cd /d "%~dp0work"
cmd.exe /d /c ""%~dp0%~1\command.cmd"" >"%~dp0%~1\output" 2>&1 <nul
>"%~dp0%~1\code.new" echo %ERRORLEVEL%
move /y "%~dp0%~1\code.new" "%~dp0%~1\code" >nul
