/** A configuration of nginx: one process, and nothing outside of its directory. */
export interface NginxConfiguration {
  /** What stands in its `http`. */
  readonly http: string;
  /** What stands before everything, and behind it. */
  readonly first?: string;
  readonly last?: string;
}

/** Writes it. */
export function nginxConfiguration({ http, first = "", last = "" }: NginxConfiguration): string {
  return `
    ${first}
    daemon off;
    master_process off;
    pid nginx.pid;
    error_log stderr;
    events {}
    http {
      access_log off;
      client_body_temp_path body;
      proxy_temp_path proxy;
      fastcgi_temp_path fastcgi;
      uwsgi_temp_path uwsgi;
      scgi_temp_path scgi;
      ${http}
    }
    ${last}`;
}
