// What SQL Server can call of HisSms.cs: see his_sms.sql.

public static class HisSmsSql
{
    public static string Seal(string keyId, byte[] key, string content, string account, string clientRef,
        string mobile)
    {
        return HisSms.Seal(keyId, key, content, account, clientRef, new[] { mobile }, null);
    }
}
