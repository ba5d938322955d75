// Runs an example as it stands, and leaves as Trial.cs does.

using System.Reflection;
using System.Runtime.InteropServices;

static class Entry
{
    static void Main()
    {
        typeof(Example).GetMethod("Main", BindingFlags.Static | BindingFlags.NonPublic).Invoke(null, null);
        Leave(0);
    }

    [DllImport("libc", EntryPoint = "_exit")]
    static extern void Leave(int status);
}
