@echo off
rem Removes the agent's folder %1 when the service wrapper has let go of it, then this file.
rem A folder that is somebody's current one cannot go.
cd /d %SystemRoot%
set tries=0
:again
%SystemRoot%\System32\ping.exe -n 2 127.0.0.1 >nul
rmdir /s /q "%~1"
if not exist "%~1" goto gone
set /a tries+=1
if %tries% lss 60 goto again
:gone
del /f /q "%~f0"
