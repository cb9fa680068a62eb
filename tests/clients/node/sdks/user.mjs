// The user of every event: each field that Sluice has a column for, and private attributes, which must not arrive.
export const user = {
  userID: "u1",
  email: "a@b.c",
  ip: "1.2.3.4",
  country: "US",
  locale: "en_US",
  appVersion: "1.2",
  userAgent: "UA/1",
  custom: { plan: "pro", n: 3 },
  privateAttributes: { password: "hunter2" },
  customIDs: { companyID: "c9", stableID: "s7" },
};
